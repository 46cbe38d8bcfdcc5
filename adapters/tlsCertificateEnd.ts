// Until when callers may believe that they speak to us.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/** When the certificate in a PEM file ends, epoch ms: the first one's, which is the server's own. @throws Error when it can't be read */
export function tlsCertificateEnd(file: string): number {
	return Date.parse(new X509Certificate(readFileSync(file)).validTo);
}
