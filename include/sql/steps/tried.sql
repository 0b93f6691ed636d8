-- The five most tried users of each group.
tried AS (
    SELECT
        {{ group() }},
        COUNT(*) AS users_tried,
        SUM(own_failures) AS own_failures,
        {%- for place in range(1, 6) %}
        MAX(CASE WHEN place = {{ place }} THEN login_name END) AS user_{{ place }},
        MAX(CASE WHEN place = {{ place }} THEN failures END) AS user_{{ place }}_failures,
        MAX(CASE WHEN place = {{ place }} THEN in_a_row END) AS user_{{ place }}_in_a_row,
        MAX(CASE WHEN place = {{ place }} THEN since END) AS user_{{ place }}_since{{ "," if not loop.last }}
        {%- endfor %}
    FROM (
        SELECT
            attempts.*,
            COALESCE(in_a_row.failures, 0) AS in_a_row,
            in_a_row.since,
            ROW_NUMBER() OVER (
                PARTITION BY {{ group("attempts.") }} ORDER BY attempts.failures DESC, attempts.login_name
            ) AS place
        FROM attempts
        LEFT JOIN in_a_row ON attempts.login_name = in_a_row.login_name
            {%- if fleet %}
            AND {{ "in_a_row.place = 1" if lists_warehouses else "in_a_row.login_warehouse = attempts.group_warehouse" }}
            {%- endif %}
        WHERE attempts.failures > 0
    ) AS by_user
    GROUP BY {{ group() }}
)
