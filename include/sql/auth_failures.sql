{#-
  Measures the authentication failures of one interval [start, end), and what the log shows of it. Judges nothing.

  Returns the groups that had a breach point in the interval or in the window before it, at most max_candidates of them,
  one row for each threshold in force that the group reached. Each row repeats the coverage and the exact number of groups that
  breached at the lowest threshold. With no such group, one row holds the coverage alone.

  Runs on Redshift, PostgreSQL and Athena. Athena runs a CTE again for each reference, so each is referenced once
  where that is possible.
-#}
{%- set evaluation = run() -%}
{%- set groups = evaluation.settings.group_by -%}
{%- macro log() -%} ({% include 'sql/sources/' ~ evaluation.settings.source ~ '.sql' %}) AS connection_log {%- endmacro -%}
{%- macro moment(value) -%} TIMESTAMP '{{ value.strftime("%Y-%m-%d %H:%M:%S.%f") }}' {%- endmacro -%}
{%- macro columns(of) -%} {% for name in groups %}{{ of }}.{{ name }} AS group_{{ name }}, {% endfor %} {%- endmacro -%}
{%- macro group(of="") -%} {% for name in groups %}{{ of }}group_{{ name }}{{ ", " if not loop.last }}{% endfor %} {%- endmacro -%}
{%- macro same_group(a, b) -%}
    {% for name in groups %}{{ a }}.group_{{ name }} = {{ b }}.group_{{ name }}{{ " AND " if not loop.last }}{% endfor %}
{%- endmacro -%}
{%- set start, end = moment(evaluation.interval.start), moment(evaluation.interval.end) -%}
{%- set edges = evaluation.part_edges -%}
{%- set parts = range(1, edges | length) -%}
{%- set window_before = moment(evaluation.interval.start - evaluation.window) -%}
{%- set delivered = evaluation.source.delivered -%}
{%- set minutes = "INTERVAL '{}' MINUTE" if delivered else "INTERVAL '{} minutes'" -%}
{%- set window = minutes.format(evaluation.settings.window_minutes) -%}
{%- set lowest_threshold = evaluation.thresholds | min -%}

WITH
{% include 'sql/steps/events.sql' %},
{% include 'sql/steps/suspects.sql' %},
{% include 'sql/steps/failures.sql' %},
{% include 'sql/steps/sweep.sql' %},
{% include 'sql/steps/reached.sql' %},
{% include 'sql/steps/tried.sql' %},
{% include 'sql/steps/logins.sql' %},
{% include 'sql/steps/candidates.sql' %},
{% include 'sql/coverage/' ~ ('delivered' if delivered else 'live') ~ '.sql' %}

SELECT
    '{{ evaluation.settings.source }}' AS source,
    coverage.oldest_event_at,
    coverage.newest_event_at,
    coverage.all_failures,
    coverage.shows_others,
    coverage.unreadable_lines,
    CAST(COALESCE(candidates.breaching_groups, 0) AS INTEGER) AS breaching_groups,
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
    candidates.first_breach_at,
    candidates.last_breach_at,
    candidates.first_login_at,
    candidates.first_login_user,
    candidates.got_in_at,
    candidates.got_in_user,
    CAST(COALESCE(tried.users_tried, 0) AS INTEGER) AS users_tried,
    {%- for place in range(1, 6) %}
    tried.user_{{ place }},
    CAST(tried.user_{{ place }}_failures AS INTEGER) AS user_{{ place }}_failures{{ "," if not loop.last }}
    {%- endfor %}
FROM coverage
LEFT JOIN candidates ON coverage.always = candidates.always
LEFT JOIN tried ON {{ same_group("candidates", "tried") }}
ORDER BY candidates.place, candidates.threshold
