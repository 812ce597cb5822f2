//! Problems of algebra.

use super::Template;
use crate::draw::Draw;

pub(super) const TEMPLATES: [Template; 6] = [
    cubic_roots,
    joint_work,
    power_sum,
    coins,
    repeated_function,
    nearest_point,
];

/// Symmetric polynomials of the roots with integer coefficients are integers.
fn cubic_roots(draw: &mut Draw) -> String {
    let (a, b, c) = (
        draw.between(3, 40),
        draw.between(2, 60),
        draw.between(1, 99),
    );
    let wanted = draw.one_of(&[
        "r^2 + s^2 + t^2",
        "r^3 + s^3 + t^3",
        "r^2s^2 + s^2t^2 + t^2r^2",
        "(r + s)(s + t)(t + r)",
        "r^2(s + t) + s^2(t + r) + t^2(r + s)",
    ]);
    format!(
        "The equation $x^3 - {a}x^2 + {b}x - {c} = 0$ has the roots $r$, $s$ and $t$, counted with \
         multiplicity; some of them may be complex numbers. Without finding the roots one by one, \
         compute the value of ${wanted}$, which is an integer."
    )
}

/// Three workers of at least 12 hours each need at least 4 together, so that one can leave sooner.
fn joint_work(draw: &mut Draw) -> String {
    let [a, b, c] = [
        draw.between(12, 40),
        draw.between(12, 40),
        draw.between(12, 40),
    ];
    let hours = draw.between(2, 3);
    let [first, second, third] = draw.names();
    format!(
        "Working alone, {first} would paint a barn in {a} hours, {second} in {b} hours and {third} \
         in {c} hours. All three begin together at constant rates, but {third} goes home after \
         {hours} hours, and the other two finish the barn. The whole job takes \
         $\\frac{{m}}{{n}}$ hours, where $m$ and $n$ are relatively prime positive integers. Find \
         $m + n$."
    )
}

/// The discriminant is not negative, so that both numbers are real and the sum is positive.
fn power_sum(draw: &mut Draw) -> String {
    let sum = draw.between(20, 120);
    let product = draw.between(2, sum * sum / 4);
    let power = draw.between(3, 9);
    format!(
        "Two positive real numbers $x$ and $y$ satisfy $x + y = {sum}$ and $xy = {product}$. The \
         number $x^{{{power}}} + y^{{{power}}}$ turns out to be a positive integer. Find the \
         remainder when this integer is divided by 1000."
    )
}

/// Counts, sum and difference come from a real purse, and three equations settle three unknowns.
fn coins(draw: &mut Draw) -> String {
    let name = draw.name();
    let (nickels, more, quarters) = (
        draw.between(5, 40),
        draw.between(2, 20),
        draw.between(3, 40),
    );
    let dimes = nickels + more;
    let count = nickels + dimes + quarters;
    let cents = 5 * nickels + 10 * dimes + 25 * quarters;
    format!(
        "{name} has {count} coins, each of them a nickel worth 5 cents, a dime worth 10 cents or a \
         quarter worth 25 cents. Together they are worth {cents} cents, and there are {more} more \
         dimes than nickels. What is the product of the number of nickels and the number of \
         quarters?"
    )
}

fn repeated_function(draw: &mut Draw) -> String {
    let (a, b) = (draw.between(2, 29), draw.between(2, 99));
    let (times, start) = (draw.between(20, 2_025), draw.between(1, 50));
    format!(
        "Let $f(x) = {a}x + {b}$, and let $f^{{(1)}}(x) = f(x)$ and $f^{{(k+1)}}(x) = \
         f(f^{{(k)}}(x))$ for every positive integer $k$. What is the remainder when the integer \
         $f^{{({times})}}({start})$ is divided by 1000, once the function has been applied {times} \
         times in a row?"
    )
}

fn nearest_point(draw: &mut Draw) -> String {
    let (a, b, c) = (
        draw.between(1, 15),
        draw.between(2, 15),
        draw.between(2, 15),
    );
    let total = draw.between(10, 300);
    format!(
        "Real numbers $x$, $y$ and $z$ vary subject to the condition ${a}x + {b}y + {c}z = {total}$. \
         The least possible value of $x^2 + y^2 + z^2$ can be written as $\\frac{{m}}{{n}}$, where \
         $m$ and $n$ are relatively prime positive integers. Find $m + n$."
    )
}
