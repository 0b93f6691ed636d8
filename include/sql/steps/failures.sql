-- The failures of the suspects. Where distinct values are counted, replaced_at is the group's next failure with the
-- same value.
failures AS (
    SELECT
        {{ group("events.") }},
        suspects.suspect,
        events.occurred_at,
        {%- if evaluation.counted_column %}
        LEAD(events.occurred_at) OVER (
            PARTITION BY suspects.suspect, events.counted ORDER BY events.occurred_at
        ) AS replaced_at,
        {%- endif %}
        events.login_name,
        {{ "events.login_host," if any_host }}
        {%- for client in clients %}
        events.{{ client }},
        {%- endfor %}
        {{ own }} AS own
    FROM events
    INNER JOIN suspects ON {{ same_group("events", "suspects") }}
    {{ join_own }}
    WHERE events.event = 'authentication failure'
)
