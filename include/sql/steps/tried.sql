-- Who was tried: the group's failures per user, in the interval and since when at all, then its five most tried users.
attempts AS (
    SELECT
        {{ group() }},
        login_name,
        MIN(occurred_at) AS first_tried_at,
        SUM(CASE WHEN occurred_at >= {{ start }} THEN 1 ELSE 0 END) AS failures
    FROM failures
    GROUP BY {{ group() }}, login_name
),

tried AS (
    SELECT
        {{ group() }},
        COUNT(*) AS users_tried,
        {%- for place in range(1, 6) %}
        MAX(CASE WHEN place = {{ place }} THEN login_name END) AS user_{{ place }},
        MAX(CASE WHEN place = {{ place }} THEN failures END) AS user_{{ place }}_failures{{ "," if not loop.last }}
        {%- endfor %}
    FROM (
        SELECT attempts.*, ROW_NUMBER() OVER (PARTITION BY {{ group() }} ORDER BY failures DESC, login_name) AS place
        FROM attempts
        WHERE failures > 0
    ) AS by_user
    GROUP BY {{ group() }}
)
