-- The candidates: first who reached the monitor's threshold, as a lower one is that of a few groups, and SQL knows no
-- pattern. Among them who got in comes first, then who has the highest count. This order decides only who is cut beyond
-- max_candidates rows. A group is cut as a whole, with its rows for all thresholds. Both totals count those cut too.
candidates AS (
    SELECT *
    FROM (
        SELECT
            1 AS always,
            found.*,
            -- One more than the rows before the group.
            RANK() OVER (
                ORDER BY below_threshold, kept_out, most_at_failure DESC, failures DESC, {{ group() }}
            ) AS place,
            COUNT(*) OVER (PARTITION BY {{ group() }}) AS rows_of_group,
            {%- for total, at in totals.items() %}
            SUM(CASE WHEN threshold = {{ at }} AND first_breach_at IS NOT NULL THEN 1 ELSE 0 END) OVER ()
                AS {{ total }}{{ "," if not loop.last }}
            {%- endfor %}
        FROM (
            SELECT
                reached.*,
                CASE WHEN at_start > most_at_failure THEN at_start ELSE most_at_failure END AS peak,
                logins.first_login_at,
                logins.first_login_user,
                logins.got_in_at,
                logins.got_in_user,
                {%- if fleet %}
                logins.first_login_warehouse,
                logins.got_in_warehouse,
                {%- endif %}
                {%- if any_host %}
                logins.first_login_host,
                logins.got_in_host,
                logins.got_in_host_failed,
                {%- endif %}
                MIN(CASE WHEN logins.got_in_at IS NULL THEN 1 ELSE 0 END) OVER (PARTITION BY {{ group("reached.") }})
                    AS kept_out,
                MIN(CASE WHEN reached.threshold >= {{ evaluation.settings.threshold }} THEN 0 ELSE 1 END)
                    OVER (PARTITION BY {{ group("reached.") }}) AS below_threshold
            FROM reached
            LEFT JOIN logins ON {{ same_group("reached", "logins") }} AND reached.threshold = logins.threshold
        ) AS found
    ) AS ranked
    WHERE place - 1 + rows_of_group <= {{ evaluation.max_candidates }}
)
