import { testStoreContract } from "./contract.ts";
import { openMemoryStore } from "./memory.ts";

testStoreContract({
  name: "memory",
  durable: false,
  open: async () => {
    const store = openMemoryStore();
    return { store, reopen: async () => store, dispose: () => store.close() };
  },
});
