#!/bin/sh
# Tells the broker its users and exchanges anew each time it starts, then starts it as its image does.
# A service may make and write to what bears its name, and read what it listens to: nobody can forge another's events.
set -eu

user() {
  password=$(printenv "$(echo "$1" | tr '[:lower:]' '[:upper:]')_RABBITMQ_PASSWORD")
  printf '{"name": "%s", "password": "%s", "tags": ""}' "$1" "$password"
}

may_read() {
  printf '{"user": "%s", "vhost": "/", "configure": "^%s\\\\.", "write": "^%s\\\\.", "read": "%s"}' "$1" "$1" "$1" "$2"
}

events_of() {
  printf '{"vhost": "/", "name": "%s.events", "type": "topic", "durable": true, "auto_delete": false, ' "$1"
  printf '"internal": false, "arguments": {}}'
}

umask 077
cat >/etc/rabbitmq/definitions.json <<JSON
{
  "vhosts": [{"name": "/"}],
  "users": [$(user sales), $(user product), $(user delivery), $(user notification)],
  "permissions": [
    $(may_read sales '^(sales\\..*|(delivery|product)\\.events)$'),
    $(may_read product '^product\\..*$'),
    $(may_read delivery '^(delivery\\..*|sales\\.events)$'),
    $(may_read notification '^(notification\\..*|(sales|delivery|product)\\.events)$')
  ],
  "exchanges": [$(events_of sales), $(events_of product), $(events_of delivery), $(events_of notification)]
}
JSON
chown rabbitmq /etc/rabbitmq/definitions.json

umask 022
# Erlang reserves memory for as many files as it may open, and some engines allow a billion.
ulimit -S -n 65536 2>/dev/null || true
exec docker-entrypoint.sh rabbitmq-server
