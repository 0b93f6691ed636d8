users_in_a_row AS (
    SELECT attempts.*, COALESCE(in_a_row.failures, 0) AS in_a_row, in_a_row.since
    FROM attempts
    LEFT JOIN in_a_row ON attempts.login_name = in_a_row.login_name
        {%- if fleet %}
        AND attempts.{{ "login_warehouse" if lists_warehouses else "group_warehouse" }} = in_a_row.login_warehouse
        {%- endif %}
    WHERE attempts.failures > 0
),

{%- if lists_warehouses %}

-- A group may have failed as one user at several warehouses: the longest row at one of them counts.
users_anywhere AS (
    SELECT
        {{ group() }},
        login_name,
        SUM(failures) AS failures,
        SUM(own_failures) AS own_failures,
        MAX(in_a_row) AS in_a_row,
        MIN(CASE WHEN in_a_row = longest THEN since END) AS since
    FROM (
        SELECT users_in_a_row.*, MAX(in_a_row) OVER (PARTITION BY {{ group() }}, login_name) AS longest
        FROM users_in_a_row
    ) AS by_warehouse
    GROUP BY {{ group() }}, login_name
),
{%- endif %}

-- An alert names five users, so the others are only counted.
tried AS (
    SELECT
        {{ group() }},
        COUNT(*) AS users_tried,
        SUM(own_failures) AS own_failures,
        {%- for place in evaluation.LISTED %}
        MAX(CASE WHEN place = {{ place }} THEN login_name END) AS user_{{ place }},
        MAX(CASE WHEN place = {{ place }} THEN failures END) AS user_{{ place }}_failures,
        MAX(CASE WHEN place = {{ place }} THEN in_a_row END) AS user_{{ place }}_in_a_row,
        MAX(CASE WHEN place = {{ place }} THEN since END) AS user_{{ place }}_since{{ "," if not loop.last }}
        {%- endfor %}
    FROM (
        SELECT
            by_user.*,
            ROW_NUMBER() OVER (PARTITION BY {{ group() }} ORDER BY failures DESC, login_name) AS place
        FROM {{ "users_anywhere" if lists_warehouses else "users_in_a_row" }} AS by_user
    ) AS placed
    GROUP BY {{ group() }}
)
