// The sender that many write for themselves, in sixty lines: HTTP in, a BullMQ queue, SMPP out, receipts to a URL.

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { type Processor, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

type Pdu = { command_status: number; message_id?: string; short_message?: { message: string }; response: () => object };
type Session = {
	on: (event: string, heard: (pdu: Pdu) => void) => void;
	bind_transceiver: (fields: object, answered: (pdu: Pdu) => void) => void;
	submit_sm: (fields: object, answered: (pdu: Pdu) => void) => void;
	send: (pdu: object) => void;
};
type Job = { to: string; text: string; callback: string };

const smpp = createRequire(import.meta.url)("smpp") as { connect: (options: object) => Session };
const { PLAIN_PORT, PLAIN_REDIS_URL = "", PLAIN_SMSC_PORT, PLAIN_PASSWORD: password } = process.env;
const redis = new Redis(PLAIN_REDIS_URL, { maxRetriesPerRequest: null });
const connection = { url: PLAIN_REDIS_URL, maxRetriesPerRequest: null };
const queue = new Queue<Job>("plain", { connection });
const session = smpp.connect({ host: "127.0.0.1", port: Number(PLAIN_SMSC_PORT), auto_enquire_link_period: 10_000 });
// A link that ends takes the process with it: whoever runs it starts it again.
for (const event of ["close", "error"]) session.on(event, () => process.exit(1));

session.on("deliver_sm", (pdu) => {
	const id = /\bid:(\S+)/.exec(pdu.short_message?.message ?? "")?.[1];
	const forward = async () => {
		const callback = id && (await redis.get(`plain:${id}`));
		if (callback) await fetch(callback).then((answer) => answer.arrayBuffer());
		session.send(pdu.response());
	};
	void forward();
});

function submit({ to, text: message }: Job): Promise<string> {
	const fields = { source_addr: "12345", destination_addr: to, short_message: message, registered_delivery: 1 };
	return new Promise((resolve, reject) => {
		session.submit_sm(fields, ({ command_status, message_id = "" }) =>
			command_status === 0 ? resolve(message_id) : reject(new Error(`refused: ${command_status}`)),
		);
	});
}

session.bind_transceiver({ system_id: "lethe", password }, () => {
	const work: Processor<Job> = async ({ data }) => {
		await redis.set(`plain:${await submit(data)}`, data.callback, "EX", 86_400);
	};
	new Worker<Job>("plain", work, { connection, concurrency: 100 });
	const server = createServer(async (request, response) => {
		const job = JSON.parse(await text(request)) as Job;
		await queue.add("send", job, { attempts: 5, removeOnComplete: true });
		response.writeHead(202).end();
	});
	server.listen(Number(PLAIN_PORT), "127.0.0.1");
});
