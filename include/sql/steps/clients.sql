-- With what and from where the group failed in the interval: for each kind of thing the most frequent value, and how
-- many values there were.
{%- set keys = group() ~ (", login_host" if login_host not in group() else "") ~ ", " ~ clients | join(", ") %}
clients AS (
    SELECT
        {{ group() }},
        MAX(CASE WHEN kind = 'host' THEN values_seen END) AS hosts
        {%- for client in clients %},
        MAX(CASE WHEN kind = '{{ client }}' AND place = 1 THEN seen END) AS {{ client }},
        MAX(CASE WHEN kind = '{{ client }}' THEN values_seen - 1 END) AS {{ client }}_others
        {%- endfor %}
    FROM (
        SELECT
            {{ group() }},
            kind,
            seen,
            ROW_NUMBER() OVER (PARTITION BY {{ group() }}, kind ORDER BY SUM(failures) DESC, seen) AS place,
            COUNT(*) OVER (PARTITION BY {{ group() }}, kind) AS values_seen
        FROM (
            SELECT
                together.*,
                kinds.kind,
                CASE kinds.kind
                    WHEN 'host' THEN {{ login_host }}
                    {%- for client in clients %}
                    WHEN '{{ client }}' THEN NULLIF(RTRIM({{ client }}), '')
                    {%- endfor %}
                END AS seen
            FROM (
                SELECT {{ keys }}, COUNT(*) AS failures
                FROM {{ failed }}
                WHERE occurred_at >= {{ start }}
                GROUP BY {{ keys }}
            ) AS together
            CROSS JOIN (
                SELECT 'host' AS kind
                {%- for client in clients %} UNION ALL SELECT '{{ client }}' AS kind {%- endfor %}
            ) AS kinds
        ) AS of_kind
        WHERE seen IS NOT NULL
        GROUP BY {{ group() }}, kind, seen
    ) AS placed
    GROUP BY {{ group() }}
)
