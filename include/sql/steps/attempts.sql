-- Who was tried: the group's failures per user, in the interval and since when at all.
{%- if lists_warehouses %}
-- Each warehouse locks its own users, so they are counted per warehouse too.
{%- endif %}
attempts AS (
    SELECT
        {{ group() }},
        login_name,
        {{ "login_warehouse," if lists_warehouses }}
        MIN(occurred_at) AS first_tried_at,
        SUM(CASE WHEN occurred_at >= {{ start }} THEN 1 ELSE 0 END) AS failures,
        SUM(CASE WHEN occurred_at >= {{ start }} THEN own ELSE 0 END) AS own_failures
    FROM {{ failed }}
    GROUP BY {{ group() }}, login_name{{ ", login_warehouse" if lists_warehouses }}
)
