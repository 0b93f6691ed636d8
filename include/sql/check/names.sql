{#- The names that failed to sign in, the most recent first. -#}
{%- set evaluation = run() -%}
SELECT COALESCE(RTRIM(raw_user), '') AS user_name, MAX(occurred_at) AS last_at
FROM ({% include 'sql/sources/' ~ evaluation.settings.source ~ '.sql' %}) AS connection_log
WHERE event = 'authentication failure'
GROUP BY raw_user
ORDER BY last_at DESC
LIMIT 10000
