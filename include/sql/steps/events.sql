-- Events of the scanned range, from start - 2W on: a count at start - W decides between new and ongoing, and looks back
-- one W.
{%- if not delivered %}
-- Sign-ins after it come too, as this session's is one of them: it saves a scan of the log.
{%- endif %}
events AS (
    SELECT
        {{ columns("normalised") }}
        event,
        occurred_at,
        {{ evaluation.counted_column ~ " AS counted," if evaluation.counted_column }}
        {{ "session_id," if not delivered }}
        {{ "raw_identity AS login_identity," if has_identity }}
        {{ "remote_host AS login_host," if any_host }}
        {{ "warehouse AS login_warehouse," if fleet }}
        user_name AS login_name
        {%- for client in clients %},
        {{ client }}
        {%- endfor %}
    {%- set more = "session_id, " if not delivered else "raw_identity, " if has_identity else "" %}
    {%- set kept = "event, occurred_at, " ~ more ~ clients | join(", ") %}
    FROM ({{ normalised(log(), kept) }}) AS normalised
    WHERE occurred_at >= {{ moment(evaluation.scan_start) }}
        AND (occurred_at < {{ end }}{{ " OR event = 'authenticated'" if not delivered }})
)
