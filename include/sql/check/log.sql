{#- What the whole log (of a delivered log: the scanned days) shows, and whether this session's sign-in is there. -#}
{%- set evaluation = run() -%}
SELECT
    MIN(occurred_at) AS oldest_event_at,
    MAX(occurred_at) AS newest_event_at,
    COUNT(*) AS events,
    COUNT(*) - COUNT(occurred_at) AS unreadable_lines,
    {% if evaluation.source.delivered %}NULL{% else %}MAX(
        CASE WHEN event = 'authenticated' AND session_id = PG_BACKEND_PID() THEN occurred_at END
    ){% endif %} AS own_sign_in_at
FROM ({% include 'sql/sources/' ~ evaluation.settings.source ~ '.sql' %}) AS connection_log
