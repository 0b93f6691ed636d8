-- An alert names five warehouses, so the others are only counted.
warehouses AS (
    SELECT
        {{ group() }},
        COUNT(*) AS warehouses
        {%- for place in evaluation.LISTED %},
        MAX(CASE WHEN place = {{ place }} THEN login_warehouse END) AS warehouse_{{ place }},
        MAX(CASE WHEN place = {{ place }} THEN failures END) AS warehouse_{{ place }}_failures
        {%- endfor %}
    FROM (
        SELECT
            {{ group() }},
            login_warehouse,
            COUNT(*) AS failures,
            ROW_NUMBER() OVER (PARTITION BY {{ group() }} ORDER BY COUNT(*) DESC, login_warehouse) AS place
        FROM {{ failed }}
        WHERE occurred_at >= {{ start }}
        GROUP BY {{ group() }}, login_warehouse
    ) AS placed
    GROUP BY {{ group() }}
)
