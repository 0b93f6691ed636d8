-- What the log shows at all. A user without rights on it sees nothing, or nothing but its own sign-ins. Any event
-- before the interval proves that the log reaches back far enough, and any after it, such as this session's sign-in,
-- that the log has caught up. Each saves a scan of the whole log.
coverage AS (
    SELECT
        1 AS always,
        COALESCE(
            (
                SELECT MIN(occurred_at)
                FROM (SELECT occurred_at FROM {{ log() }} WHERE occurred_at < {{ start }} LIMIT 1) AS earlier
            ),
            (SELECT MIN(occurred_at) FROM {{ log() }})
        ) AS oldest_event_at,
        COALESCE(
            in_interval.first_sign_in_after,
            (
                SELECT MAX(occurred_at)
                FROM (SELECT occurred_at FROM {{ log() }} WHERE occurred_at >= {{ end }} LIMIT 1) AS later
            ),
            in_interval.newest_event_at,
            (SELECT MAX(occurred_at) FROM {{ log() }})
        ) AS newest_event_at,
        CAST(in_interval.failures AS INTEGER) AS all_failures,
        (
            SELECT CAST(COUNT(*) AS INTEGER)
            FROM (
                SELECT user_name
                FROM (SELECT COALESCE(RTRIM(raw_user), '') AS user_name FROM {{ log() }}) AS named
                WHERE NOT ({{ is_current_user("user_name") }})
                LIMIT 1
            ) AS others
        ) AS shows_others,
        0 AS unreadable_lines
    FROM (
        SELECT
            MAX(occurred_at) AS newest_event_at,
            MIN(CASE WHEN occurred_at >= {{ end }} THEN occurred_at END) AS first_sign_in_after,
            COALESCE(SUM(CASE WHEN event = 'authentication failure' THEN 1 ELSE 0 END), 0) AS failures
        FROM events
        WHERE occurred_at >= {{ start }}
    ) AS in_interval
)
