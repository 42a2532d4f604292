#!/usr/bin/env bash
# A small shop as people run them: a container that prepares, a web process with a health check and secrets, a sidecar that
# waits for it, volumes that they share, and the log of all three. Every step is the AWS CLI command it is.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=examples/common.sh
. ../common.sh
gantry=../../bin/gantry
eval "$("$gantry" env)"
export AWS_PAGER=""

if [ $# -gt 0 ]; then echo "run.sh takes no arguments" >&2; exit 2; fi
archive=$(mktemp --suffix=.tar)
trap 'rm -f "$archive"' EXIT
show bin/gantry-node scripts/busybox-image.ts hello.tar --name hello:latest
../../bin/gantry-node ../../scripts/busybox-image.ts "$archive" --name hello:latest
show npx gantry image load hello.tar
"$gantry" image load "$archive"

step aws ecs create-cluster --cluster-name demo --query 'cluster.status'
ensure_execution_role trust.json
step aws iam put-role-policy --role-name ecsTaskExecutionRole --policy-name shop-secrets \
  --policy-document file://secrets-policy.json
ensure_log_group /demo/shop

# What the web process must not have in its definition.
step aws ssm put-parameter --overwrite --name /shop/name --type SecureString --value 'The Corner Shop'
if ! aws secretsmanager describe-secret --secret-id shop/api > /dev/null 2>&1; then
  step aws secretsmanager create-secret --name shop/api --secret-string '{"key":"open-sesame"}'
fi

step aws ecs register-task-definition --cli-input-json file://shop.json --query 'taskDefinition.taskDefinitionArn'
task=$(aws ecs run-task --cluster demo --launch-type FARGATE --task-definition shop \
  --network-configuration "awsvpcConfiguration={subnets=[$GANTRY_SUBNETS]}" --query 'tasks[0].taskArn' --output text)
show aws ecs run-task --cluster demo --launch-type FARGATE --task-definition shop \
  --network-configuration "awsvpcConfiguration={subnets=[$GANTRY_SUBNETS]}"
case $task in arn:*) ;; *) echo "run-task started nothing: $task" >&2; exit 1 ;; esac
step aws ecs wait tasks-running --cluster demo --tasks "$task"
address=$(aws ecs describe-tasks --cluster demo --tasks "$task" \
  --query "tasks[0].attachments[0].details[?name=='privateIPv4Address'].value" --output text)

step curl -sS --max-time 5 "http://$address/cgi-bin/order?key=guess"
step curl -sS --max-time 5 "http://$address/cgi-bin/order?key=open-sesame"
printf '\n(agents tell of health every twenty seconds)\n'
for _ in $(seq 60); do
  health=$(aws ecs describe-tasks --cluster demo --tasks "$task" \
    --query "tasks[0].containers[?name=='web'].healthStatus" --output text)
  if [ "$health" = HEALTHY ]; then break; fi
  sleep 0.5
done
step aws ecs describe-tasks --cluster demo --tasks "$task" \
  --query 'tasks[0].containers[].[name,lastStatus,exitCode,healthStatus]' --output text
printf '\n(the sidecar counts every two seconds)\n'
for _ in $(seq 50); do
  if aws logs filter-log-events --log-group-name /demo/shop --filter-pattern '"1 orders so far"' \
    --query 'events[].message' --output text | grep -q orders; then break; fi
  sleep 0.2
done
step aws logs tail /demo/shop --since 5m
step aws ecs stop-task --cluster demo --task "$task" --query 'task.desiredStatus'
step aws ecs wait tasks-stopped --cluster demo --tasks "$task"
step aws ecs describe-tasks --cluster demo --tasks "$task" \
  --query 'tasks[0].[lastStatus,stopCode,stoppedReason]' --output text
