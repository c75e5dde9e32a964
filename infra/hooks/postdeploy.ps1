# After a deployment: are all functions there? Then a first full pass. azd runs this; so can you, with these variables set to
# the outputs of the deployment: AZURE_RESOURCE_GROUP, FUNCTION_APP_NAME, FUNCTION_APP_URI. Needs az (signed in).
$ErrorActionPreference = 'Stop'
foreach ($name in 'AZURE_RESOURCE_GROUP', 'FUNCTION_APP_NAME', 'FUNCTION_APP_URI') {
    if (-not [Environment]::GetEnvironmentVariable($name)) { throw "${name}: is not set" }
}
Set-Location (Join-Path $PSScriptRoot '../..')

$place = @('--resource-group', $env:AZURE_RESOURCE_GROUP, '--name', $env:FUNCTION_APP_NAME, '--output', 'tsv')
if ($env:AZURE_SUBSCRIPTION_ID) { $place += @('--subscription', $env:AZURE_SUBSCRIPTION_ID) }
$pause = if ($env:POSTDEPLOY_PAUSE) { [int]$env:POSTDEPLOY_PAUSE } else { 10 }
$left = if ($env:POSTDEPLOY_TRIES) { [int]$env:POSTDEPLOY_TRIES } else { 30 }

$wanted = (Select-String -Path function_app.py -Pattern '^@app\.function_name\(').Count
while ($true) {
    $listed = az functionapp function list --query 'length(@)' @place
    if ($LASTEXITCODE -eq 0 -and $listed -eq $wanted) { break }
    $left -= 1
    if ($left -le 0) {
        throw "The function app lists $listed of $wanted functions. Its log says why: AppTraces and AppExceptions in Log Analytics."
    }
    Start-Sleep -Seconds $pause
}
Write-Host "All $wanted functions are there."

$key = az functionapp keys list --query functionKeys.default @place
if ($LASTEXITCODE -ne 0) { throw 'The key of the function app could not be read.' }
$reply = Invoke-RestMethod -Method Post -Uri "$env:FUNCTION_APP_URI/api/resync" -Headers @{ 'x-functions-key' = $key } `
    -TimeoutSec 120 -MaximumRetryCount 5 -RetryIntervalSec ([Math]::Max($pause, 1))
$reply | ConvertTo-Json -Compress
Write-Host 'The first full pass is queued.'
