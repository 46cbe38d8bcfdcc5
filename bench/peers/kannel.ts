// Kannel, from Debian: bearerbox and smsbox, with its spool store or with none.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { libraryPath, unpackDebian } from "../../stack/debian.ts";
import { makePrivateFolder, writePrivateFile } from "../../stack/files.ts";
import { getOk, type Peer, type Site } from "./peer.ts";

/** @throws Error when its programs can't be had */
export async function openKannel(site: Site, options: { programs: string; spool: boolean }): Promise<Peer> {
	const root = await unpackDebian("kannel", options.programs);
	const password = randomBytes(12).toString("hex");
	const [admin, box, http] = [await site.port("admin"), await site.port("box"), await site.port("http")];
	const file = join(site.dir, "kannel.conf");
	const spool = makePrivateFolder(join(site.dir, "spool"));
	writePrivateFile(file, configure({ admin, box, http, password, smsc: site.smsc, spool: options.spool && spool }));
	const env = { LD_LIBRARY_PATH: libraryPath(root) };
	const program = (name: string, answers: () => Promise<unknown>) =>
		// At its usual level it writes a page a message to standard error.
		site.supervise(name, { command: join(root, "usr/sbin", name), args: ["-v", "4", file], env }, answers);
	const status = `http://127.0.0.1:${admin}/status.txt?password=${password}`;
	const bearerbox = program("bearerbox", () => getOk(status));
	const smsbox = program("smsbox", () => getOk(status, /smsbox[\s\S]*online/));
	const start = async () => {
		await bearerbox.start();
		await smsbox.start();
	};
	return {
		about: options.spool
			? "A gateway: each message is a file until the SMSC has it, written without fsync. No encryption, policies, evidence, erasure; a repeated request sends twice."
			: "A gateway that keeps messages in memory only. No encryption, policies, evidence, erasure; a repeated request sends twice.",
		each: 1,
		receipts: "callback",
		start,
		async send([text = ""]) {
			const query = new URLSearchParams({
				...{ username: "bench", password, from: "12345", to: "+12025550142", text, "dlr-mask": "3" },
				"dlr-url": site.callbackUrl(text),
			});
			await getOk(`http://127.0.0.1:${http}/cgi-bin/sendsms?${query}`, /Accepted/);
		},
		async kill() {
			await Promise.all([bearerbox.kill(), smsbox.kill()]);
		},
		restart: start,
		async stop() {
			await smsbox.stop();
			await bearerbox.stop();
		},
	};
}

function configure(options: {
	admin: number;
	box: number;
	http: number;
	password: string;
	smsc: Site["smsc"];
	spool: string | false;
}): string {
	const { admin, box, http, password, smsc, spool } = options;
	const store = spool ? `store-type = spool\nstore-location = "${spool}"\n` : "";
	return `group = core
admin-port = ${admin}
admin-interface = 127.0.0.1
admin-password = ${password}
smsbox-port = ${box}
box-allow-ip = "127.0.0.1"
box-deny-ip = "*.*.*.*"
dlr-storage = internal
${store}
group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = ${smsc.port}
transceiver-mode = true
smsc-username = "${smsc.systemId}"
smsc-password = "${smsc.password}"
system-type = ""
max-pending-submits = 100

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = ${http}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = bench
password = ${password}
max-messages = 1

group = sms-service
keyword = default
text = ""
max-messages = 0
`;
}
