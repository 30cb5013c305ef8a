"""List prices of AWS in us-east-1, in dollars, and how Lambda polls; free tiers are left out."""

MILLION = 1_000_000
DAY_MIN = 24 * 60
MONTH_DAYS = 30

# https://aws.amazon.com/sqs/pricing/ (standard, FIFO; each 64 KB of a payload is a request)
SQS = 0.40 / MILLION
SQS_FIFO = 0.50 / MILLION
SQS_CHUNK = 64 * 1024
# https://aws.amazon.com/dynamodb/pricing/on-demand/
WRITE_UNIT = 0.625 / MILLION
READ_UNIT = 0.125 / MILLION
WRITE_UNIT_BYTES = 1024
STORED_GB_MONTH = 0.25
# https://aws.amazon.com/lambda/pricing/ (arm64, first tier)
LAMBDA_GB_S = 0.0000133334
LAMBDA_REQUEST = 0.20 / MILLION
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html: one vCPU at 1,769 MB
VCPU_MB = 1_769
# https://aws.amazon.com/s3/pricing/
S3_PUT = 5.0 / MILLION
# https://aws.amazon.com/cloudwatch/pricing/
METRIC_MONTH = 0.30
ALARM_MONTH = 0.10
LOGS_GB = 0.50
# https://aws.amazon.com/secrets-manager/pricing/
SECRET_MONTH = 0.40
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html: long polls of twenty
# seconds; five at a time while a queue is quiet.
POLLS_PER_MIN = 5 * 3
RECEIVED_AT_ONCE = 10
