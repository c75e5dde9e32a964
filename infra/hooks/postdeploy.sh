#!/bin/sh
# After a deployment: are all functions there? Then a first full pass. azd runs this; so can you, with these variables set to
# the outputs of the deployment: AZURE_RESOURCE_GROUP, FUNCTION_APP_NAME, FUNCTION_APP_URI. Needs az (signed in) and curl.
set -eu
: "${AZURE_RESOURCE_GROUP:?is not set}" "${FUNCTION_APP_NAME:?is not set}" "${FUNCTION_APP_URI:?is not set}"
cd "$(dirname "$0")/../.."

app() {
  az functionapp "$@" --resource-group "$AZURE_RESOURCE_GROUP" --name "$FUNCTION_APP_NAME" --output tsv \
    ${AZURE_SUBSCRIPTION_ID:+--subscription "$AZURE_SUBSCRIPTION_ID"}
}

wanted=$(grep -c '^@app\.function_name(' function_app.py)
left=${POSTDEPLOY_TRIES:-30}
while listed=$(app function list --query 'length(@)') || listed=none; [ "$listed" != "$wanted" ]; do
  left=$((left - 1))
  if [ "$left" -le 0 ]; then
    echo "The function app lists $listed of $wanted functions. Its log says why: AppTraces and AppExceptions in Log Analytics." >&2
    exit 1
  fi
  sleep "${POSTDEPLOY_PAUSE:-10}"
done
echo "All $wanted functions are there."

key=$(app keys list --query functionKeys.default)
# The key goes through standard input: arguments are seen by everybody on the machine.
printf 'x-functions-key: %s\n' "$key" | curl --silent --show-error --fail-with-body --retry 5 --retry-delay "${POSTDEPLOY_PAUSE:-10}" \
  --max-time 120 --request POST --header @- --data '' "$FUNCTION_APP_URI/api/resync"
echo
echo "The first full pass is queued."
