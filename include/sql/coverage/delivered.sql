-- What the scanned days show. A role that can read the files sees everybody's events, so shows_others is always 1.
coverage AS (
    SELECT
        1 AS always,
        MIN(occurred_at) AS oldest_event_at,
        MAX(occurred_at) AS newest_event_at,
        CAST(COALESCE(SUM(CASE
            WHEN event = 'authentication failure' AND occurred_at >= {{ start }} AND occurred_at < {{ end }} THEN 1 ELSE 0
        END), 0) AS INTEGER) AS all_failures,
        1 AS shows_others,
        CAST(COUNT(*) - COUNT(occurred_at) AS INTEGER) AS unreadable_lines
    FROM {{ log() }}
)
