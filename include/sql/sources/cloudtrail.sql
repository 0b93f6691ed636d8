{#-
  Who asked AWS for credentials to a cluster or a workgroup, and was refused or not: the sign-in by IAM, of which only
  what was granted can reach the connection log. Read through Athena from the table of setup/cloudtrail.sql.

  A call that failed for another reason, as it was throttled for example, is neither: the caller may well have the
  right. Errors that are not listed here count as refusals.

  The user is the database user that was asked for, else, as Redshift names them, the IAM user or role that asked; a
  refused call often comes without its parameters, and then counts for whichever cluster the monitor is about. As a call
  that is granted later names the database user, the identity stands beside it. All other calls are there to show what
  the log covers.
-#}
{%- set identity -%}
    COALESCE(
        'IAMR:' || useridentity.sessioncontext.sessionissuer.username,
        'IAM:' || useridentity.username,
        useridentity.arn
    )
{%- endset -%}
{%- set days = evaluation.scanned_days -%}
{%- set cluster = evaluation.settings.cluster -%}
SELECT
    CASE
        WHEN eventsource NOT IN ('redshift.amazonaws.com', 'redshift-serverless.amazonaws.com') THEN eventname
        WHEN eventname NOT IN ('GetClusterCredentials', 'GetClusterCredentialsWithIAM', 'GetCredentials') THEN eventname
        {%- if cluster %}
        WHEN
            COALESCE(
                JSON_EXTRACT_SCALAR(requestparameters, '$.clusterIdentifier'),
                JSON_EXTRACT_SCALAR(requestparameters, '$.workgroupName'),
                '{{ cluster }}'
            ) <> '{{ cluster }}'
            THEN eventname
        {%- endif %}
        WHEN errorcode IS NULL THEN 'authenticated'
        WHEN
            REGEXP_LIKE(
                errorcode,
                'Throttl|TooManyRequests|LimitExceeded|Internal|Unavailable|NotFound|Unsupported|Validation'
            )
            THEN eventname
        ELSE 'authentication failure'
    END AS event,
    TRY(DATE_PARSE(eventtime, '%Y-%m-%dT%H:%i:%sZ')) AS occurred_at,
    sourceipaddress AS raw_host,
    COALESCE(JSON_EXTRACT_SCALAR(requestparameters, '$.dbUser'), {{ identity }}, '') AS raw_user,
    {{ identity }} AS raw_identity,
    JSON_EXTRACT_SCALAR(requestparameters, '$.dbName') AS raw_database,
    CAST(NULL AS VARCHAR) AS client_method,
    CAST(NULL AS VARCHAR) AS client_driver,
    CAST(NULL AS VARCHAR) AS client_application,
    CAST(NULL AS VARCHAR) AS client_system,
    CAST(NULL AS VARCHAR) AS client_tls
FROM redshift_cloudtrail
WHERE
    day BETWEEN '{{ days[0].strftime("%Y/%m/%d") }}' AND '{{ days[1].strftime("%Y/%m/%d") }}'
