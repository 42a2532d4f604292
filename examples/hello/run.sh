#!/usr/bin/env bash
# The README's session: from an image made in a second to a container that answers, every step the AWS CLI command it is.
#   --wait-for-gantry=PID   wait until Gantry answers; PID is its process (npm start runs this beside it)
#   --keep                  stop after curl and leave the task running
set -euo pipefail
cd "$(dirname "$0")"
gantry=../../bin/gantry
keep=no
for argument in "$@"; do
  case $argument in
    --wait-for-gantry=*)
      until "$gantry" env > /dev/null 2>&1; do
        kill -0 "${argument#*=}" 2> /dev/null || exit 0
        sleep 0.1
      done
      ;;
    --keep) keep=yes ;;
    *) echo "run.sh: unknown argument $argument" >&2; exit 2 ;;
  esac
done

# shellcheck source=examples/common.sh
. ../common.sh

eval "$("$gantry" env)"
export AWS_PAGER=""
archive=$(mktemp --suffix=.tar)
trap 'rm -f "$archive"' EXIT
show bin/gantry-node scripts/busybox-image.ts hello.tar --name hello:latest
../../bin/gantry-node ../../scripts/busybox-image.ts "$archive" --name hello:latest

show npx gantry image load hello.tar
"$gantry" image load "$archive"
step aws ecs create-cluster --cluster-name demo

ensure_execution_role trust.json
ensure_log_group /demo/hello

step aws ecs register-task-definition --cli-input-json file://hello.json
step aws ecs run-task --cluster demo --launch-type FARGATE --task-definition hello \
  --network-configuration "awsvpcConfiguration={subnets=[$GANTRY_SUBNETS]}" \
  --query 'tasks[0].taskArn' --output text | tee "$archive.arn"
task=$(tail -n 1 "$archive.arn")
rm -f "$archive.arn"
case $task in arn:*) ;; *) echo "run-task started nothing; see its failures above" >&2; exit 1 ;; esac

step aws ecs wait tasks-running --cluster demo --tasks "$task"
step aws ecs describe-tasks --cluster demo --tasks "$task"
address=$(aws ecs describe-tasks --cluster demo --tasks "$task" \
  --query 'tasks[0].containers[0].networkInterfaces[0].privateIpv4Address' --output text)
step curl -sS --retry 20 --retry-delay 1 --retry-connrefused --max-time 5 "http://$address/"

if [ "$keep" = yes ]; then
  printf '\nThe task keeps running. Its output and its end:\n'
  printf '  aws logs get-log-events --log-group-name /demo/hello --log-stream-name hello/web/%s\n' "${task##*/}"
  printf '  aws ecs stop-task --cluster demo --task %s\n\n' "$task"
  exit 0
fi
step aws logs get-log-events --log-group-name /demo/hello --log-stream-name "hello/web/${task##*/}"
step aws ecs stop-task --cluster demo --task "$task"
step aws ecs wait tasks-stopped --cluster demo --tasks "$task"
step aws ecs describe-tasks --cluster demo --tasks "$task" \
  --query 'tasks[0].[lastStatus,stopCode,stoppedReason,containers[0].exitCode]'
