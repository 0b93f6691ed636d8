CREATE EXTERNAL TABLE redshift_cloudtrail (
    useridentity struct<
        type: string,
        arn: string,
        username: string,
        sessioncontext: struct<sessionissuer: struct<username: string>>
    >,
    eventtime string,
    eventsource string,
    eventname string,
    sourceipaddress string,
    errorcode string,
    requestparameters string
)
PARTITIONED BY (region string, day string)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS
    INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
    OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://<bucket>/AWSLogs/<account>/CloudTrail/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.region.type' = 'enum',
    'projection.region.values' = '<region>',
    'projection.day.type' = 'date',
    'projection.day.format' = 'yyyy/MM/dd',
    'projection.day.range' = '2013/01/01,NOW+1DAYS',
    'projection.day.interval' = '1',
    'projection.day.interval.unit' = 'DAYS',
    'storage.location.template' = 's3://<bucket>/AWSLogs/<account>/CloudTrail/${region}/${day}/'
)
-- The table that source cloudtrail reads: the files that CloudTrail delivers to S3, a row for each call.
-- Replace <bucket> (and, where the trail has a key prefix, write <bucket>/<prefix>), <account> and <region>, and run it
-- once in Athena, in the database that the connection's schema field names. Several regions: 'eu-central-1,us-east-1'.
