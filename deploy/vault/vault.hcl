# A Vault server that keeps its keys on disk, sealed, and writes an audit log. It starts sealed: an operator unseals it.
storage "raft" {
  path    = "/openbao/file"
  node_id = "vault"
  # A lone node need not wait long for rivals in an election.
  performance_multiplier = 1
}

listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/run/secrets/vault_certificate"
  tls_key_file  = "/run/secrets/vault_certificate_key"
  # No root token is kept: a quorum of unseal keys makes one when a later version needs it.
  disable_unauthed_generate_root_endpoints = false
}

audit "file" "log" {
  options {
    file_path = "/openbao/logs/audit.log"
  }
}

api_addr     = "https://vault:8200"
cluster_addr = "https://vault:8201"
ui           = false
