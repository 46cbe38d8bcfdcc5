#!/bin/sh
# Makes the namespace and the search attributes that Lethe's runs use; run again, it changes nothing.
set -eu
export TEMPORAL_ADDRESS=temporal:7233 TEMPORAL_NAMESPACE=lethe
temporal operator namespace describe >/dev/null 2>&1 || temporal operator namespace create --retention 72h
known=$(temporal operator search-attribute list)
for attribute in TenantId Category Region MessageState; do
	case $known in
	*"$attribute"*) ;;
	*) temporal operator search-attribute create --name "$attribute" --type Keyword ;;
	esac
done
