// What a connection to one of our servers proves both sides by.

/** PEM texts. A missing `ca` leaves the authorities that Node trusts; `cert` and `key` are for mutual TLS. */
export type ServerTls = { ca?: string; cert?: string; key?: string };
