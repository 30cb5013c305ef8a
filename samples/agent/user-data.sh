#!/bin/sh
# EC2 user data of a GPU node, or a step of its AMI: installs the agent and starts it.
# Put in your queue URLs. The instance profile needs the policy of the stack's output AgentPolicyArn.
set -eu
python3 -m venv /opt/reflexarc
/opt/reflexarc/bin/pip install --quiet 'reflexarc[agent]'
install -d -m 0755 /etc/reflexarc
cat > /etc/reflexarc/agent.yaml <<'SETTINGS'
faults_queue_url: https://sqs.eu-west-1.amazonaws.com/123456789012/reflexarc-gpu-faults
readings_queue_url: https://sqs.eu-west-1.amazonaws.com/123456789012/reflexarc-gpu-readings
SETTINGS
# The unit beside this file: from your image, your bucket or your configuration management.
install -m 0644 /tmp/reflexarc-agent.service /etc/systemd/system/reflexarc-agent.service
systemctl daemon-reload
systemctl enable --now reflexarc-agent
/opt/reflexarc/bin/reflexarc agent check --config /etc/reflexarc/agent.yaml || true
