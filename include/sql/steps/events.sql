-- Events of the scanned range, from start - 2W on: a count at start - W, which tells new from ongoing, looks back one W.
-- IPv4-mapped addresses (::ffff:10.0.0.1) count as the IPv4 address that they are.
events AS (
    SELECT
        {{ columns("normalised") }}
        event,
        occurred_at,
        {{ evaluation.counted_column ~ " AS counted," if evaluation.counted_column }}
        user_name AS login_name
    FROM (
        SELECT
            event,
            occurred_at,
            CASE
                WHEN LOWER(SUBSTRING(remote_address, 1, 7)) = '::ffff:' AND POSITION('.' IN remote_address) > 0
                    THEN SUBSTRING(remote_address, 8)
                ELSE remote_address
            END AS remote_host,
            user_name,
            database_name
        FROM {{ log() }}
        WHERE occurred_at >= {{ moment(evaluation.scan_start) }} AND occurred_at < {{ end }}
    ) AS normalised
)
