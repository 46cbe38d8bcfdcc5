# A Vault server that keeps its keys on disk, sealed, and writes an audit log. It starts sealed: an operator unseals it.
storage "raft" {
  path    = "/openbao/file"
  node_id = "vault"
}

listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/run/secrets/vault_certificate"
  tls_key_file  = "/run/secrets/vault_certificate_key"
}

audit "file" "log" {
  options {
    file_path = "/openbao/logs/audit.log"
  }
}

api_addr     = "https://vault:8200"
cluster_addr = "https://vault:8201"
ui           = false
