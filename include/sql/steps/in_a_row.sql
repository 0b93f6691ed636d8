-- Lockout: Redshift counts a user's failures in a row, from any host. These are the ones after the user's last sign-in in
-- the scanned range, over all groups. Of a fleet, each warehouse locks its own users: the longest row comes first. Users that no suspect tried are left out where that costs no further read of the log.
in_a_row AS (
    SELECT
        events.login_name,
        {%- if fleet %}
        events.login_warehouse,
        ROW_NUMBER() OVER (
            PARTITION BY events.login_name ORDER BY COUNT(*) DESC, MIN(events.occurred_at), events.login_warehouse
        ) AS place,
        {%- endif %}
        COUNT(*) AS failures,
        MIN(events.occurred_at) AS since
    FROM events
    LEFT JOIN (
        SELECT login_name, {{ "login_warehouse, " if fleet }}MAX(occurred_at) AS signed_in_at
        FROM events
        WHERE event = 'authenticated' AND occurred_at < {{ end }}
        GROUP BY login_name{{ ", login_warehouse" if fleet }}
    ) AS last_of_user ON events.login_name = last_of_user.login_name
        {{- " AND events.login_warehouse = last_of_user.login_warehouse" if fleet }}
    WHERE events.event = 'authentication failure'
        AND (last_of_user.signed_in_at IS NULL OR events.occurred_at > last_of_user.signed_in_at)
        {%- if not delivered %}
        AND events.login_name IN (SELECT login_name FROM attempts)
        {%- endif %}
    GROUP BY events.login_name{{ ", events.login_warehouse" if fleet }}
)
