# Sourced by the examples: prints each command so that it can be pasted into a shell, then runs it.

show() {
  local line='' word
  for word in "$@"; do
    case $word in *[!A-Za-z0-9_./:=,@+-]*) word="'$word'" ;; esac
    line="$line $word"
  done
  printf '\n\033[1m$%s\033[0m\n' "$line"
}
step() { show "$@"; "$@"; }

# The role in which ECS's agent writes logs and fetches secrets for a task. Made once, in AWS's usual name for it.
ensure_execution_role() {
  local role=ecsTaskExecutionRole
  if ! aws iam get-role --role-name "$role" > /dev/null 2>&1; then
    step aws iam create-role --role-name "$role" --assume-role-policy-document "file://$1"
  fi
  step aws iam attach-role-policy --role-name "$role" \
    --policy-arn arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
}

ensure_log_group() {
  local found
  found=$(aws logs describe-log-groups --log-group-name-prefix "$1" --query 'logGroups[].logGroupName' --output text)
  if [ -z "$found" ]; then step aws logs create-log-group --log-group-name "$1"; fi
}
