-- What the scanned days show. Who may read the files sees all of them, whose they are not.
coverage AS (
    SELECT
        1 AS always,
        MIN(occurred_at) AS oldest_event_at,
        MAX(occurred_at) AS newest_event_at,
        1 AS shows_others,
        CAST(COUNT(*) - COUNT(occurred_at) AS INTEGER) AS unreadable_lines
    FROM {{ log() }}
)
