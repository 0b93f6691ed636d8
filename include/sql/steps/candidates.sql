-- The candidates: who got in comes first, then who has the highest count. This order decides only who is cut beyond
-- max_candidates. A group is cut as a whole, with its rows for all thresholds. breaching_groups counts those cut too.
candidates AS (
    SELECT *
    FROM (
        SELECT
            1 AS always,
            found.*,
            DENSE_RANK() OVER (ORDER BY kept_out, most_at_failure DESC, failures DESC, {{ group() }}) AS place,
            SUM(CASE WHEN threshold = {{ lowest_threshold }} AND first_breach_at IS NOT NULL THEN 1 ELSE 0 END) OVER ()
                AS breaching_groups
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
                    AS kept_out
            FROM reached
            LEFT JOIN logins ON {{ same_group("reached", "logins") }} AND reached.threshold = logins.threshold
        ) AS found
    ) AS ranked
    WHERE place <= {{ evaluation.max_candidates }}
)
