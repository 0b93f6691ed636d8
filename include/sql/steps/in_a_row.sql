-- Lockout: Redshift locks a user after so many failures in a row, from any host. These are the failures since the
-- user's last sign-in in the scanned range, over all groups. In a fleet each warehouse locks its own users, so there is
-- a row for each. A live log is read no further for users that no suspect tried.
in_a_row AS (
    SELECT
        events.login_name,
        {{ "events.login_warehouse," if fleet }}
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
