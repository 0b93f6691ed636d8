-- Prune: only a group with this many failures in the scanned range can have that many in one window.
suspects AS (
    SELECT {{ group() }}
    FROM events
    WHERE event = 'authentication failure'
    GROUP BY {{ group() }}
    HAVING COUNT(*) >= {{ lowest_threshold }}
)
