// A person at a browser, who hears every complaint of it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PASSWORD, USER } from './gatepass.js';
import { PATIENCE } from './processes.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const WIDTHS = [320, 1280];
const SCHEMES = ['light', 'dark'];

export class Person {
  /** A fresh profile with one window. */
  static async at(browser) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(PATIENCE);
    const person = new Person();
    person.context = context;
    person.complaints = [];
    person.page = await context.newPage();
    await person.page.exposeFunction('complain', (complaint) => person.complaints.push(complaint));
    await person.page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (violation) => {
        window.complain(`${violation.violatedDirective} forbids ${violation.blockedURI} at ${violation.documentURI}`);
      });
    });
    person.page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) person.complaints.push(message.text());
    });
    person.page.on('pageerror', (error) => person.complaints.push(String(error)));
    return person;
  }

  async open(url) {
    return (await this.page.goto(url)).status();
  }

  /** Where a sign-in would end that begins at `url`, for somebody who is signed in: off the server, without going there. */
  async wouldEndAt(url) {
    const { origin } = new URL(url);
    for (let here = new URL(url), hops = 0; hops < 10; hops += 1) {
      const answer = await this.context.request.get(here.href, { maxRedirects: 0 });
      const { location } = answer.headers();
      assert.ok(location, `${here.pathname} leads nowhere: ${answer.status()}`);
      here = new URL(location, here);
      if (here.origin !== origin) return here;
    }
    throw new Error(`${url} leads from page to page`);
  }

  /** The heading of the page. */
  async heading() {
    return (await this.page.textContent('h1')).trim();
  }

  /** Waits for the page with this heading. */
  async reads(heading) {
    await this.page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
  }

  /** Fills the sign-in page in. */
  async signIn(password = PASSWORD, email = USER) {
    await this.reads('Sign in');
    await this.page.getByLabel('Email address').fill(email);
    await this.page.getByLabel('Password').fill(password);
    await this.press('Sign in');
  }

  async press(button) {
    await this.page.getByRole('button', { name: button, exact: true }).click();
  }

  /** Takes a complaint that belongs to the story off the list. */
  async expectComplaint(pattern) {
    const until = Date.now() + PATIENCE;
    for (;;) {
      const index = this.complaints.findIndex((complaint) => pattern.test(complaint));
      if (index >= 0) return this.complaints.splice(index, 1);
      assert.ok(Date.now() < until, `the browser did not complain of ${pattern}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The page fits a phone and is accessible, light and dark. `name` names its pictures. */
  async looksRight(name) {
    for (const width of WIDTHS) {
      for (const colorScheme of SCHEMES) {
        const here = `${name}, ${width} px, ${colorScheme}`;
        await this.page.setViewportSize({ width, height: 900 });
        await this.page.emulateMedia({ colorScheme });
        if (process.env.GATEPASS_GALLERY) {
          const path = join(process.env.GATEPASS_GALLERY, `${name.replaceAll(' ', '-')}-${width}-${colorScheme}.png`);
          await this.page.screenshot({ path });
        }
        const { needed, there } = await this.page.evaluate(() => {
          const { scrollWidth, clientWidth } = document.documentElement;
          return { needed: scrollWidth, there: clientWidth };
        });
        assert.ok(needed <= there, `${here}: it scrolls sideways, being ${needed} px wide`);
        assert.deepEqual(await this.#barriers(), [], here);
      }
    }
    await this.page.setViewportSize({ width: 1280, height: 900 });
  }

  /** What keeps people from using the page, as axe finds it. */
  async #barriers() {
    await this.page.evaluate(AXE);
    const violations = await this.page.evaluate(async (values) => {
      const found = await window.axe.run(document, { preload: false, runOnly: { type: 'tag', values } });
      return found.violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => node.html) }));
    }, RULES);
    return violations;
  }
}
