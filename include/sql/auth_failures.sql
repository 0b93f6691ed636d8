{#-
  Measures the authentication failures of one interval [start, end), and what the log shows of it. Judges nothing.

  Returns the groups that had a breach point in the interval or in the window before it, one row for each threshold in
  force that the group reached, and at most max_candidates rows. Each row repeats the coverage and the exact numbers of
  groups that breached at the lowest threshold and at the monitor's own. With no such group, one row holds the coverage
  alone. Of a fleet, a row for each warehouse holds its coverage too.

  Runs on Redshift, PostgreSQL and Athena. Athena runs a CTE again for each reference, so each is referenced once
  where that is possible.
-#}
{%- set evaluation = run() -%}
{%- set groups = evaluation.settings.group_by -%}
{%- macro log() -%}
    ({% include 'sql/sources/' ~ evaluation.settings.source ~ '.sql' %}) AS connection_log
{%- endmacro -%}
{%- macro moment(value) -%} TIMESTAMP '{{ value.strftime("%Y-%m-%d %H:%M:%S.%f") }}' {%- endmacro -%}
{#- A fleet source holds many warehouses, so each of its events has one. -#}
{%- set fleet = evaluation.source.fleet -%}
{%- set warehouse = "COALESCE(RTRIM(raw_warehouse), '')" -%}
{#- At which warehouses each group failed: not where the group itself says that. -#}
{%- set lists_warehouses = fleet and "warehouse" not in groups -%}
{#- IPv4-mapped addresses (::ffff:10.0.0.1) count as the IPv4 address that they are. -#}
{%- macro host(address) -%}
    CASE WHEN LOWER(SUBSTRING({{ address }}, 1, 7)) = '::ffff:' AND POSITION('.' IN {{ address }}) > 0
        THEN SUBSTRING({{ address }}, 8) ELSE {{ address }} END
{%- endmacro -%}
{#- The columns of some rows of the log, and its names as they count: padding is trimmed, and NULL and blank are one
    group, ''. No function but RTRIM touches a name, which may end within a character. -#}
{%- macro normalised(rows, kept) -%}
    SELECT {{ kept }}, {{ "warehouse, " if fleet }}{{ host("remote_address") }} AS remote_host, user_name, database_name
    FROM (
        SELECT
            {{ kept }},
            {{ warehouse ~ " AS warehouse," if fleet }}
            COALESCE(TRIM(raw_host), '') AS remote_address,
            COALESCE(RTRIM(raw_user), '') AS user_name,
            COALESCE(RTRIM(raw_database), '') AS database_name
        FROM {{ rows }}
    ) AS trimmed
{%- endmacro -%}
{%- macro columns(of) -%} {% for name in groups %}{{ of }}.{{ name }} AS group_{{ name }}, {% endfor %} {%- endmacro -%}
{%- macro group(of="") -%}
    {% for name in groups %}{{ of }}group_{{ name }}{{ ", " if not loop.last }}{% endfor %}
{%- endmacro -%}
{%- macro same_group(a, b) -%}
    {% for name in groups %}
    {{- a }}.group_{{ name }} = {{ b }}.group_{{ name }}{{ " AND " if not loop.last }}
    {%- endfor %}
{%- endmacro -%}
{#- The host under one name only: working it out costs more than anything else of a row. -#}
{%- set login_host = "group_remote_host" if "remote_host" in groups else "login_host" -%}
{#- Whether a group's events may come from several hosts. -#}
{%- set any_host = "remote_host" not in groups -%}
{%- set start, end = moment(evaluation.interval.start), moment(evaluation.interval.end) -%}
{%- set edges = evaluation.part_edges -%}
{%- set parts = range(1, edges | length) -%}
{%- set window_before = moment(evaluation.interval.start - evaluation.window) -%}
{%- set delivered = evaluation.source.delivered -%}
{%- set clients = evaluation.CLIENTS -%}
{#- Only CloudTrail says who asked, beside the database user that was asked for. -#}
{%- set has_identity = evaluation.settings.source == "cloudtrail" -%}
{%- set minutes = "INTERVAL '{}' MINUTE" if delivered else "INTERVAL '{} minutes'" -%}
{%- set window = minutes.format(evaluation.settings.window_minutes) -%}
{%- set lowest_threshold = evaluation.thresholds[0] -%}
{%- set totals = {"breaching_groups": lowest_threshold, "breaching_at_threshold": evaluation.settings.threshold} -%}
{#- Whether a name of the log is the monitor's user. The log puts IAM's prefix before it, may put a group after it, and
    cuts the whole at 50. The name is only compared, as it may end within a character: as bytes, ; comes after :. -#}
{%- macro is_current_user(name) -%}
    {%- for prefix in ("",) + evaluation.FEDERATED %}
    {%- set written = "SUBSTRING('" ~ prefix ~ "' || CAST(CURRENT_USER AS VARCHAR(128)) || '{}', 1, 50)" %}
    {{ name }} = {{ written.format("") }}
    OR ({{ name }} >= {{ written.format(":") }} AND {{ name }} < {{ written.format(";") }})
    {{- " OR" if not loop.last }}
    {%- endfor %}
{%- endmacro -%}
{#- Own events are the monitor's: of the user and from the host that this session signed in as and from. -#}
{%- set own = "CASE WHEN this_session.user_name IS NULL THEN 0 ELSE 1 END" if not delivered else "0" -%}
{%- set join_own -%}
    {%- if not delivered -%}
    LEFT JOIN this_session
        ON events.login_name = this_session.user_name AND events.{{ login_host }} = this_session.remote_host
    {%- endif -%}
{%- endset -%}
{#- Failures by group. Athena would find the suspects once more for each reference, and no failure is own there. -#}
{%- set failed -%}
    {%- if delivered -%}
    (SELECT events.*, 0 AS own FROM events WHERE event = 'authentication failure') AS failures
    {%- else -%}
    failures
    {%- endif -%}
{%- endset %}

WITH
{% include 'sql/steps/events.sql' %},
{%- if not delivered %}
{% include 'sql/steps/session.sql' %},
{%- endif %}
{% include 'sql/steps/suspects.sql' %},
{% include 'sql/steps/failures.sql' %},
{% include 'sql/steps/sweep.sql' %},
{% include 'sql/steps/reached.sql' %},
{% include 'sql/steps/attempts.sql' %},
{% include 'sql/steps/in_a_row.sql' %},
{% include 'sql/steps/tried.sql' %},
{% include 'sql/steps/logins.sql' %},
{% include 'sql/steps/candidates.sql' %},
{% include 'sql/steps/clients.sql' %},
{% include 'sql/steps/known.sql' %},
{%- if lists_warehouses %}
{% include 'sql/steps/warehouses.sql' %},
{%- endif %}
{% include 'sql/coverage/' ~ ('delivered' if delivered else 'live') ~ '.sql' %}

SELECT
    '{{ evaluation.settings.source }}' AS source,
    {%- if fleet %}
    coverage.warehouse AS covered_warehouse,
    {%- endif %}
    coverage.oldest_event_at,
    coverage.newest_event_at,
    coverage.all_failures,
    coverage.shows_others,
    coverage.unreadable_lines,
    {%- if delivered %}
    CASE WHEN coverage.oldest_event_at < {{ start }} THEN coverage.oldest_event_at END AS known_since,
    {%- else %}
    (SELECT MIN(first_at) FROM known) AS known_since,
    {%- endif %}
    {%- for total in totals %}
    CAST(COALESCE(candidates.{{ total }}, 0) AS INTEGER) AS {{ total }},
    {%- endfor %}
    {%- for name in groups %}
    candidates.group_{{ name }} AS {{ name }},
    {%- endfor %}
    candidates.threshold,
    CAST(candidates.failures AS INTEGER) AS failures,
    CAST(candidates.most_at_failure AS INTEGER) AS most_at_failure,
    CAST(candidates.most_before AS INTEGER) AS most_before,
    CAST(candidates.peak AS INTEGER) AS peak,
    {%- for part in parts %}
    CAST(candidates.part_{{ part }} AS INTEGER) AS part_{{ part }},
    {%- endfor %}
    candidates.first_failure_at,
    candidates.last_failure_at,
    candidates.breach_before_at,
    candidates.first_breach_at,
    candidates.last_breach_at,
    candidates.first_login_at,
    candidates.first_login_user,
    candidates.got_in_at,
    candidates.got_in_user,
    {%- if fleet %}
    candidates.first_login_warehouse,
    candidates.got_in_warehouse,
    {%- endif %}
    {%- if any_host %}
    candidates.first_login_host,
    candidates.got_in_host,
    CAST(candidates.got_in_host_failed AS INTEGER) AS got_in_host_failed,
    {%- endif %}
    CAST(COALESCE(tried.users_tried, 0) AS INTEGER) AS users_tried,
    CAST(COALESCE(tried.own_failures, 0) AS INTEGER) AS own_failures,
    {%- for place in evaluation.LISTED %}
    tried.user_{{ place }},
    CAST(tried.user_{{ place }}_failures AS INTEGER) AS user_{{ place }}_failures,
    CAST(tried.user_{{ place }}_in_a_row AS INTEGER) AS user_{{ place }}_in_a_row,
    tried.user_{{ place }}_since,
    {%- endfor %}
    CAST(COALESCE(known.sign_ins, 0) AS INTEGER) AS sign_ins,
    known.last_at AS last_sign_in_at,
    known.last_user AS last_sign_in_user,
    CAST(COALESCE(clients.hosts, 0) AS INTEGER) AS hosts
    {%- for client in clients %},
    clients.{{ client }},
    CAST(clients.{{ client }}_others AS INTEGER) AS {{ client }}_others
    {%- endfor %}
    {%- if lists_warehouses %},
    CAST(COALESCE(warehouses.warehouses, 0) AS INTEGER) AS warehouses
    {%- for place in evaluation.LISTED %},
    warehouses.warehouse_{{ place }},
    CAST(warehouses.warehouse_{{ place }}_failures AS INTEGER) AS warehouse_{{ place }}_failures
    {%- endfor %}
    {%- endif %}
FROM coverage
LEFT JOIN candidates ON coverage.always = candidates.always
LEFT JOIN tried ON {{ same_group("candidates", "tried") }}
LEFT JOIN clients ON {{ same_group("candidates", "clients") }}
LEFT JOIN known ON {{ same_group("candidates", "known") }}
{%- if lists_warehouses %}
LEFT JOIN warehouses ON {{ same_group("candidates", "warehouses") }}
{%- endif %}
ORDER BY candidates.place, candidates.threshold
