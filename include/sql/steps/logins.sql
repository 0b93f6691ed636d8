-- Sign-ins after a breach point: of the interval, or of the window before the sign-in. The first of any user, and the
-- first as a user that the group had failed as, which is "got in": behind a shared address the two differ. The
-- monitor's own are left out: it fails while its password is being changed, and signs in again afterwards.
{%- if any_host %}
-- Where a group's events may come from any host, the owner of an account that others try signs in too: "got in" is then
-- the first sign-in from a host that had failed, as whatever user, else the first from any.
{%- endif %}
{%- set by_time -%}
    occurred_at, login_name {{- ", login_warehouse" if fleet }} {{- ", login_host" if any_host }}
{%- endset %}
{#- As which users each group has failed, at whatever warehouse. -#}
{%- set failed_as -%}
    {%- if lists_warehouses -%}
    (
        SELECT {{ group() }}, login_name, MIN(first_tried_at) AS first_tried_at
        FROM attempts
        GROUP BY {{ group() }}, login_name
    )
    {%- else -%}
    attempts
    {%- endif -%}
{%- endset %}
logins AS (
    SELECT
        {{ group() }},
        threshold,
        MAX(CASE WHEN place = 1 THEN occurred_at END) AS first_login_at,
        MAX(CASE WHEN place = 1 THEN login_name END) AS first_login_user,
        MAX(CASE WHEN had_failed = 1 AND place_among = 1 THEN occurred_at END) AS got_in_at,
        MAX(CASE WHEN had_failed = 1 AND place_among = 1 THEN login_name END) AS got_in_user
        {%- if fleet %},
        MAX(CASE WHEN place = 1 THEN login_warehouse END) AS first_login_warehouse,
        MAX(CASE WHEN had_failed = 1 AND place_among = 1 THEN login_warehouse END) AS got_in_warehouse
        {%- endif %}
        {%- if any_host %},
        MAX(CASE WHEN place = 1 THEN login_host END) AS first_login_host,
        MAX(CASE WHEN had_failed = 1 AND place_among = 1 THEN login_host END) AS got_in_host,
        MAX(CASE WHEN had_failed = 1 AND place_among = 1 THEN host_failed END) AS got_in_host_failed
        {%- endif %}
    FROM (
        SELECT
            after_breach.*,
            ROW_NUMBER() OVER (PARTITION BY {{ group() }}, threshold ORDER BY {{ by_time }}) AS place,
            ROW_NUMBER() OVER (
                PARTITION BY {{ group() }}, threshold, had_failed
                ORDER BY {{ "host_failed DESC, " if any_host }}{{ by_time }}
            ) AS place_among
        FROM (
            SELECT
                {{ group("events.") }},
                reached.threshold,
                events.occurred_at,
                events.login_name,
                {{ "events.login_warehouse," if fleet }}
                {%- if any_host %}
                events.login_host,
                CASE WHEN hosts.first_failed_at < events.occurred_at THEN 1 ELSE 0 END AS host_failed,
                {%- endif %}
                CASE WHEN attempts.first_tried_at < events.occurred_at THEN 1 ELSE 0 END AS had_failed
            FROM events
            INNER JOIN reached ON {{ same_group("events", "reached") }}
            LEFT JOIN {{ failed_as }} AS attempts
                ON {{ same_group("events", "attempts") }}
                {%- if has_identity %}
                -- A call that was refused without its parameters is named after who asked.
                AND attempts.login_name IN (events.login_name, events.login_identity)
                {%- else %}
                AND events.login_name = attempts.login_name
                {%- endif %}
            {%- if any_host %}
            LEFT JOIN (
                SELECT login_host, MIN(occurred_at) AS first_failed_at
                FROM events
                WHERE event = 'authentication failure'
                GROUP BY login_host
            ) AS hosts ON events.login_host = hosts.login_host
            {%- endif %}
            {{ join_own }}
            WHERE events.event = 'authenticated'
                AND {{ own }} = 0
                AND events.occurred_at >= {{ start }} AND events.occurred_at < {{ end }}
                AND (
                    events.occurred_at > reached.first_breach_at
                    OR events.occurred_at < reached.breach_before_at + {{ window }}
                )
        ) AS after_breach
    ) AS placed
    GROUP BY {{ group() }}, threshold
)
