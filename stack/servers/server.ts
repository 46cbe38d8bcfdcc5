// What every server of a stack is: how it is run, and how one knows that it answers.

import type { Program } from "../sources.ts";

/** What a server needs to plan its run; its files go below `dataDir`, at 0700 and made already. */
export type ServerOptions = {
	program: Program;
	dataDir: string;
	/** A free port of 127.0.0.1, the same at each start while it stays free. */
	port: (name: string) => Promise<number>;
};

/** One server, ready to be run. `answers` throws until the server does its work; it may be asked again and again. */
export type Server<Address> = {
	address: Address;
	command: string;
	args: string[];
	answers: () => Promise<void>;
	/** Time for the first answer, ms. */
	readyMs: number;
};

/** A server that someone else runs. */
export type ForeignServer<Address> = Pick<Server<Address>, "address" | "answers">;

/** What is needed to use a foreign server; `dataDir` holds what we must remember of it. */
export type ForeignOptions = { url: string; dataDir: string; environment: NodeJS.ProcessEnv };
