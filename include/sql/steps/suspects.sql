-- Prune: only a group with this many failures in the scanned range can have that many in one window. The number stands
-- for the group where many rows are sorted: text sorts slowly.
suspects AS (
    SELECT {{ group() }}, ROW_NUMBER() OVER (ORDER BY {{ group() }}) AS suspect
    FROM events
    WHERE event = 'authentication failure'
    GROUP BY {{ group() }}
    HAVING COUNT(*) >= {{ lowest_threshold }}
)
