-- Known or not: each group's sign-ins before the interval, as far back as the log shows (for a log in S3, in the
-- scanned days). They are counted by what the log holds first, as that is quick, and then by what it means.
{%- if not delivered %} Sign-ins of all others are one group, NULL: it tells since when the log shows any. Where nobody
-- reached a threshold, nothing is read.
{%- endif %}
{%- set raw = {"remote_host": "raw_host", "user_name": "raw_user", "database_name": "raw_database"} %}
{%- set raw = dict(raw, warehouse="raw_warehouse") if fleet else raw %}
{%- set needed = ["user_name"] + groups | list %}
known AS (
    SELECT
        {{ group() }},
        SUM(sign_ins) AS sign_ins,
        MIN(first_at) AS first_at,
        MAX(last_at) AS last_at,
        MAX(CASE WHEN place = 1 THEN login_name END) AS last_user
    FROM (
        SELECT
            {{ group("suspects." if not delivered else "sign_ins.") }},
            sign_ins.login_name,
            sign_ins.sign_ins,
            sign_ins.first_at,
            sign_ins.last_at,
            ROW_NUMBER() OVER (
                PARTITION BY {{ group("suspects." if not delivered else "sign_ins.") }}
                ORDER BY sign_ins.last_at DESC, sign_ins.login_name
            ) AS place
        FROM (
            SELECT {{ columns("normalised") }} user_name AS login_name, sign_ins, first_at, last_at
            FROM (
                {%- set counted %}
                (
                    SELECT
                        {%- for name in raw %}
                        {{ raw[name] if name in needed else "CAST(NULL AS VARCHAR(50))" }} AS {{ raw[name] }},
                        {%- endfor %}
                        COUNT(*) AS sign_ins,
                        MIN(occurred_at) AS first_at,
                        MAX(occurred_at) AS last_at
                    FROM {{ log() }}
                    WHERE occurred_at < {{ start }} AND event = 'authenticated'
                    GROUP BY {% for name in needed | unique %}{{ raw[name] }}{{ ", " if not loop.last }}{% endfor %}
                ) AS counted
                {%- endset %}
                {{ normalised(counted, "sign_ins, first_at, last_at") }}
            ) AS normalised
        ) AS sign_ins
        {%- if not delivered %}
        LEFT JOIN suspects ON {{ same_group("sign_ins", "suspects") }}
        WHERE EXISTS (SELECT 1 FROM reached)
        {%- endif %}
    ) AS placed
    GROUP BY {{ group() }}
)
