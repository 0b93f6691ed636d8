-- The failures of the suspects. Where distinct values are counted, replaced_at is the group's next failure with the same value.
failures AS (
    SELECT
        {{ group("events.") }},
        events.occurred_at,
        {%- if evaluation.counted_column %}
        LEAD(events.occurred_at) OVER (
            PARTITION BY {{ group("events.") }}, events.counted ORDER BY events.occurred_at
        ) AS replaced_at,
        {%- endif %}
        events.login_name
    FROM events
    INNER JOIN suspects ON {{ same_group("events", "suspects") }}
    WHERE events.event = 'authentication failure'
)
