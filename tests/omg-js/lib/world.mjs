// What all steps share: the clients of OMG, a web3, fresh funded accounts that count every wei, and the root chain's clock.

import ChildChain from "@omisego/omg-js-childchain";
import RootChain from "@omisego/omg-js-rootchain";
import omgUtil from "@omisego/omg-js-util";
import assert from "node:assert/strict";
import Web3 from "web3";
import { progress, until } from "./wait.mjs";

const { getErc20Balance, transaction } = omgUtil;

export const ETH = transaction.ETH_CURRENCY;
/** What any wait of a step may take. */
export const WAIT_MS_MAX = 60_000;
/** The fee of a payment on a devnet: exactly one wei of ETH. */
export const FEE = { currency: ETH, amount: 1 };
export const eth = (text) => BigInt(Web3.utils.toWei(`${text}`));

/** Matches the failure of a call that our contracts refused with this error: they say why by type, contracts v1 by a text. */
export const revert = (signature) => new RegExp(Web3.utils.sha3(signature).slice(0, 10));

// The devnet's test token gives everybody what they ask for.
const TOKEN_ABI = [
  {
    name: "mint",
    type: "function",
    inputs: [
      { name: "to", type: "address" },
      { name: "amount", type: "uint256" },
    ],
    outputs: [],
  },
];

const methodsOf = ({ prototype }) => Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
/** The methods of both clients. */
export const METHODS = [...methodsOf(RootChain), ...methodsOf(ChildChain)];

// Remembers what was asked of a client, which stays as it is.
function recorded(client, used) {
  const get = (target, name, self) => {
    used.add(name);
    return Reflect.get(target, name, self);
  };
  return new Proxy(client, { get });
}

export class World {
  constructor(file) {
    this.file = file;
    this.token = file.erc20_token;
    this.web3 = new Web3(file.rpc_url);
    this.web3.eth.transactionPollingInterval = 100;
    const plasmaContractAddress = file.plasma_framework;
    this.used = new Set();
    this.rootChain = recorded(new RootChain({ web3: this.web3, plasmaContractAddress }), this.used);
    // As wallets do it: informational calls go to one server, those that guard funds to the other.
    const watcherUrl = file.watcher_info_url;
    const urls = { watcherUrl, watcherSecurityUrl: file.watcher_url };
    this.childChain = recorded(new ChildChain({ ...urls, plasmaContractAddress }), this.used);
    this.bank = this.#account("bank", file.accounts[0].address, file.accounts[0].private_key);
  }

  #account(name, address, privateKey) {
    return new Account(this, name, address.toLowerCase(), privateKey);
  }

  /** A new account with ETH, and test tokens if asked for, on the root chain. */
  async account(name, { wei = eth(3), tokens = 0n } = {}) {
    const { address, privateKey } = this.web3.eth.accounts.create();
    const account = this.#account(name, address, privateKey);
    await this.bank.send({ to: address, value: `${wei}`, gas: 21_000 });
    account.wei = wei;
    if (tokens) {
      const contract = new this.web3.eth.Contract(TOKEN_ABI, this.token);
      const data = contract.methods.mint(address, `${tokens}`).encodeABI();
      await this.bank.send({ to: this.token, data, gas: 100_000 });
      account.tokens = tokens;
    }
    return account;
  }

  /** The outputs that the watcher lets this address exit: what is spendable, seen by the one who guards. */
  async exitable(address) {
    const response = await fetch(`${this.file.watcher_url}/account.get_exitable_utxos`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ address }),
    });
    const { success, data } = await response.json();
    assert.ok(success, JSON.stringify(data));
    return data;
  }

  /** Waits until the watcher knows an output, and gives it as the clients want it. */
  async spendable(owner, position) {
    return until(`output ${JSON.stringify(position)} of ${owner.name} is spendable`, WAIT_MS_MAX, async () => {
      const known = await this.exitable(owner.address);
      const same = (utxo) => ["blknum", "txindex", "oindex"].every((key) => utxo[key] === position[key]);
      const found = known.find(same);
      // The amount is the one the step knows: JSON.parse is not exact above 2^53.
      return found && { ...position, owner: owner.address };
    });
  }

  /** Moves the root chain's clock ahead and mines a block there. */
  async pass(seconds) {
    progress(`${seconds} s pass on the root chain`);
    await this.rpc("evm_increaseTime", [seconds]);
    await this.rpc("evm_mine", []);
  }

  /** Root chain time, in seconds. */
  async now() {
    const { timestamp } = await this.web3.eth.getBlock("latest");
    return Number(timestamp);
  }

  rpc(method, params) {
    return new Promise((resolve, reject) => {
      this.web3.currentProvider.send({ jsonrpc: "2.0", id: 1, method, params }, (error, response) => {
        const failure = error ?? response.error;
        return failure ? reject(new Error(`${method}: ${failure.message}`)) : resolve(response.result);
      });
    });
  }

  /** Waits until the watcher reports this event about what `matches` picks, and gives its details. */
  async byzantine(name, matches) {
    return until(`the watcher reports ${name}`, WAIT_MS_MAX, async () => {
      const { byzantine_events: events } = await this.childChain.status();
      return events.find(({ event, details }) => event === name && matches(details))?.details;
    });
  }

  /** Waits until the watcher reports nothing any more about what `matches` picks. */
  async peace(matches, but = []) {
    return until("the watcher has no event left", WAIT_MS_MAX, async () => {
      const { byzantine_events: events } = await this.childChain.status();
      return !events.some(({ event, details }) => !but.includes(event) && matches(details));
    });
  }
}

/** An account that knows to the wei what it must own on the root chain. */
export class Account {
  constructor(world, name, address, privateKey) {
    Object.assign(this, { world, name, address, privateKey, wei: 0n, tokens: 0n });
  }

  get txOptions() {
    return { from: this.address, privateKey: this.privateKey };
  }

  async send(details) {
    const { web3 } = this.world;
    const { rawTransaction } = await web3.eth.accounts.signTransaction(details, this.privateKey);
    return web3.eth.sendSignedTransaction(rawTransaction);
  }

  /** Takes what a transaction of this account cost from what it must own. */
  async paid(sending, value = 0n) {
    const receipt = await sending;
    assert.equal(receipt.status, true);
    this.wei -= BigInt(value) + BigInt(receipt.gasUsed) * BigInt(receipt.effectiveGasPrice);
    return receipt;
  }

  /** Asserts, to the wei, what it owns on the root chain. */
  async assertOwns() {
    const { web3, token } = this.world;
    assert.equal(BigInt(await web3.eth.getBalance(this.address)), this.wei, `ETH of ${this.name}`);
    const tokens = await getErc20Balance({ web3, address: this.address, erc20Address: token });
    assert.equal(BigInt(tokens), this.tokens, `tokens of ${this.name}`);
  }

  /** Deposits, and waits until it is spendable. */
  async deposit(amount, currency = ETH) {
    const { rootChain } = this.world;
    if (currency === ETH) {
      const receipt = await this.paid(rootChain.deposit({ amount: `${amount}`, txOptions: this.txOptions }), amount);
      return this.#deposited(receipt, amount, currency);
    }
    await this.paid(rootChain.approveToken({ erc20Address: currency, amount: `${amount}`, txOptions: this.txOptions }));
    const receipt = await this.paid(rootChain.deposit({ amount: `${amount}`, currency, txOptions: this.txOptions }));
    this.tokens -= amount;
    return this.#deposited(receipt, amount, currency);
  }

  async #deposited(receipt, amount, currency) {
    const { web3 } = this.world;
    const topic = web3.utils.sha3("DepositCreated(address,uint256,address,uint256)");
    const event = receipt.logs.find(({ topics }) => topics[0] === topic);
    assert.ok(event, "the vault tells of the deposit");
    const blknum = Number(event.topics[2]);
    const utxo = await this.world.spendable(this, { blknum, txindex: 0, oindex: 0, currency, amount: `${amount}` });
    // Operator and watcher read the root chain each on their own. Once the operator knows the deposit, a payment of more than there
    // is gets another refusal.
    const probe = this.sign([utxo], [{ owner: this, currency, amount }, { owner: this, currency, amount: 1n }]);
    await until("the operator knows the deposit", WAIT_MS_MAX, async () => {
      const code = await this.world.childChain.submitTransaction(probe.signed).catch(({ message }) => message);
      assert.match(code, /submit:(utxo_not_found|input_utxo_ahead_of_state|amounts_do_not_add_up)/);
      return code.includes("amounts_do_not_add_up");
    });
    return { ...utxo, transactionHash: receipt.transactionHash };
  }

  /** Builds and signs a payment, without telling anybody. `owners` are the accounts that own the inputs. */
  sign(inputs, outputs, owners = inputs.map(() => this)) {
    const { childChain, file } = this.world;
    const body = {
      inputs,
      outputs: outputs.map(({ owner, currency = ETH, amount }) => ({
        outputType: 1,
        outputGuard: owner.address,
        currency,
        amount: `${amount}`,
      })),
      txData: 0,
      metadata: transaction.NULL_METADATA,
    };
    const typedData = transaction.getTypedData(body, file.plasma_framework);
    const signatures = childChain.signTransaction(typedData, owners.map(({ privateKey }) => privateKey));
    const signed = childChain.buildSignedTransaction(typedData, signatures);
    const unsigned = transaction.encode({ ...body, txType: 1 }, { signed: false });
    return { signed, unsigned, signatures, outputs };
  }

  /** Submits what was signed, waits until its outputs are spendable, and gives them. */
  async submit({ signed, outputs }) {
    const { childChain } = this.world;
    const { blknum, txindex } = await childChain.submitTransaction(signed);
    const position = { blknum, txindex };
    return Promise.all(
      outputs.map(({ owner, currency = ETH, amount }, oindex) =>
        this.world.spendable(owner, { ...position, oindex, currency, amount: `${amount}` }),
      ),
    );
  }
}
