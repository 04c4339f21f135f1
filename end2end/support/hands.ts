// Somebody who has no mouse: Tab, Shift+Tab, Enter, Space, arrows and typing.

import { type Locator, expect } from '@playwright/test';

import type { Submission, Visitor } from './visitor.ts';

/** More than the longest page has places to stop at. */
const MOST_PRESSES = 200;

export class Hands {
  constructor(private readonly visitor: Visitor) {}

  /** Goes on with Tab until `target` has the focus, which has to be seen. */
  async reach(target: Locator, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
    await this.focusSettles();
    for (let presses = 0; presses < MOST_PRESSES; presses++) {
      if (await target.evaluate(isFocused)) {
        expect(await target.evaluate(hasVisibleFocus), 'the focus is seen').toBe(true);
        await expect(target).toBeInViewport();
        return;
      }
      await this.press(key);
    }
    throw new Error(`${target} cannot be reached by keyboard`);
  }

  async press(key: string): Promise<void> {
    await this.visitor.page.keyboard.press(key);
  }

  async type(label: string, text: string, within?: Locator): Promise<void> {
    await this.reach(this.visitor.field(label, within));
    await this.press('ControlOrMeta+A');
    if (text === '') await this.press('Delete');
    await this.visitor.page.keyboard.type(text);
  }

  /** Goes through the options of a list with the arrows, until it has this value. */
  async choose(label: string, value: string): Promise<void> {
    const list = this.visitor.field(label);
    await this.reach(list);
    await this.press('Home');
    const count = await list.locator('option').count();
    for (let presses = 0; presses < count; presses++) {
      if ((await list.inputValue()) === value) return;
      await this.press('ArrowDown');
    }
    throw new Error(`"${label}" does not offer "${value}" to the arrows`);
  }

  /** Ticks a box. */
  async tick(label: string): Promise<void> {
    await this.reach(this.visitor.field(label));
    await this.press('Space');
    await expect(this.visitor.field(label)).toBeChecked();
  }

  /** Sends the form whose field has the focus. */
  async enter(): Promise<Submission> {
    return this.visitor.submitting(() => this.press('Enter'));
  }

  /** Sends a form by its button. */
  async push(button: string | Locator, within?: Locator): Promise<Submission> {
    await this.reach(typeof button === 'string' ? this.visitor.button(button, within) : button);
    return this.visitor.submitting(() => this.press('Space'));
  }

  async follow(link: Locator): Promise<void> {
    await this.reach(link);
    await this.visitor.going(() => this.press('Enter'));
  }

  /** Searches a list by what its filters say. */
  async search(): Promise<void> {
    await this.reach(this.visitor.button('Search'));
    await this.visitor.going(() => this.press('Space'));
  }

  /** Goes through the whole page with `key`, and gives where it stopped until it left. */
  async walk(key: 'Tab' | 'Shift+Tab'): Promise<Stop[]> {
    const stops: Stop[] = [];
    for (let presses = 0; presses < MOST_PRESSES; presses++) {
      await this.press(key);
      const stop = await this.visitor.page.evaluate(stopOfFocus);
      if (stop === null) return stops;
      stops.push(stop);
    }
    throw new Error(`the page is never left with ${key}: ${stops.map(({ name }) => name)}`);
  }

  /** A page that says where typing begins gives that the focus when it is first drawn, which may be after it was loaded. */
  private async focusSettles(): Promise<void> {
    const { page } = this.visitor;
    const beginning = page.locator('[autofocus]').first();
    if ((await beginning.count()) === 0) return;
    if (await page.evaluate(() => document.activeElement === document.body)) await expect(beginning).toBeFocused();
  }
}

/** Where the focus stops on its way through a page. */
export type Stop = { name: string; top: number; bottom: number; left: number; isSeen: boolean };

function isFocused(element: Element): boolean {
  return element.ownerDocument.hasFocus() && element.ownerDocument.activeElement === element;
}

/** Whether an element shows that it has the focus: an outline or a ring, of itself or of what holds it. */
function hasVisibleFocus(element: Element): boolean {
  const shows = ({ outlineStyle, outlineWidth, boxShadow }: CSSStyleDeclaration) =>
    outlineStyle === 'auto' || (outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2) || boxShadow !== 'none';
  return shows(getComputedStyle(element)) || (element.parentElement !== null && shows(getComputedStyle(element.parentElement)));
}

/** What has the focus, and where it is; null outside of the page. */
function stopOfFocus(): Stop | null {
  const element = document.activeElement;
  if (element === null || element === document.body || !document.hasFocus()) return null;
  const { top, bottom, left } = element.getBoundingClientRect();
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const name = element.getAttribute('aria-label') ?? element.id ?? '';
  return {
    name: name === '' ? (element.textContent ?? '').trim() : name,
    top: top + scrollY,
    bottom: bottom + scrollY,
    left: left + scrollX,
    isSeen: outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2 && bottom > 0 && top < innerHeight,
  };
}
