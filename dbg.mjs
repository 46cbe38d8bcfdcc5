import mongoose from "mongoose";
const port=process.argv[2];
const c=await mongoose.createConnection(`mongodb://127.0.0.1:${port}/?directConnection=true`).asPromise();
const dbs=(await c.db.admin().listDatabases()).databases.map(d=>d.name);
for (const name of dbs){const db=c.useDb(name);const cols=await db.db.listCollections().toArray();
 const ms=db.collection("messages"); const n=await ms.countDocuments({}).catch(()=>0); if(!n)continue;
 const states={};for await(const m of ms.find({},{projection:{state:1,unintegratedSince:1,archive:1,integrated:1,certificates:1}})){const k=[m.state,m.unintegratedSince!==undefined?"unint":"int",m.archive?"arch":"-",m.certificates?.length].join(" ");states[k]=(states[k]??0)+1}
 console.log(name,n,states,"bundles",await db.collection("evidenceBundles").countDocuments({}),"certs",await db.collection("certificates").countDocuments({}));
 for await (const r of db.collection("subjectRequests").find({})) console.log(JSON.stringify(r).slice(0,600));
}
await c.close();
