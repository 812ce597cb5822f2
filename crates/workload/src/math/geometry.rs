//! Problems of geometry.

use super::Template;
use crate::draw::Draw;

pub(super) const TEMPLATES: [Template; 6] = [
    triangle,
    ant_on_a_box,
    tangents,
    lattice_points,
    frustum,
    reflection,
];

/// An angle of 60° or 120° has a rational cosine of ±1/2, so that squares of sides are integers.
fn triangle(draw: &mut Draw) -> String {
    let (a, b) = (draw.between(6, 99), draw.between(6, 99));
    let (e, f) = (draw.between(2, a - 1), draw.between(2, b - 1));
    let angle = draw.one_of(&[60, 120]);
    format!(
        "In triangle $ABC$, $AB = {a}$, $AC = {b}$ and $\\angle BAC = {angle}^\\circ$. Point $E$ \
         lies on side $AB$ with $AE = {e}$, and point $F$ lies on side $AC$ with $AF = {f}$. The \
         lengths of the segments $BC$ and $EF$ need not be integers. Find $BC^2 + EF^2$."
    )
}

fn ant_on_a_box(draw: &mut Draw) -> String {
    let (a, b, c) = (
        draw.between(3, 80),
        draw.between(3, 80),
        draw.between(3, 80),
    );
    format!(
        "A closed box in the shape of a rectangular block measures {a} by {b} by {c} centimetres. \
         An ant crawls over the outside of the box from one corner to the corner diagonally opposite \
         through the block, along the shortest path there is on the surface. The path is \
         $\\sqrt{{d}}$ centimetres long. Find $d$."
    )
}

/// The centres are further apart than the radii reach, so that all four tangents exist.
fn tangents(draw: &mut Draw) -> String {
    let (r, s) = (draw.between(3, 60), draw.between(3, 60));
    let distance = draw.between(r + s + 1, r + s + 90);
    format!(
        "Two circles with radii {r} and {s} have their centres at a distance of {distance} from each \
         other. A common external tangent touches them at $P$ and $Q$, and a common internal \
         tangent touches them at $R$ and $S$, so that $PQ$ and $RS$ are segments of these tangents. \
         Compute $PQ^2 + RS^2$."
    )
}

/// With a, d ≥ 20 and b, c ≤ 19 the area is positive, so that the triangle is not flat.
fn lattice_points(draw: &mut Draw) -> String {
    let (a, b) = (draw.between(20, 90), draw.between(1, 19));
    let (c, d) = (draw.between(1, 19), draw.between(20, 90));
    format!(
        "Triangle $T$ has the vertices $({a}, {b})$, $({c}, {d})$ and $(0, 0)$ in the coordinate \
         plane. A lattice point is a point both of whose coordinates are integers. How many lattice \
         points lie strictly inside $T$, not counting any that lie on its sides?"
    )
}

fn frustum(draw: &mut Draw) -> String {
    let name = draw.name();
    let (radius, height) = (draw.between(5, 40), draw.between(10, 60));
    let cut = draw.between(2, height - 1);
    format!(
        "{name} carves a right circular cone of base radius {radius} and height {height} out of wax, \
         then slices it parallel to the base with a cut at a distance of {cut} from the apex, and \
         throws the small cone away. The remaining piece has volume $\\frac{{m}}{{n}}\\pi$, where \
         $m$ and $n$ are relatively prime positive integers. Find $m + n$."
    )
}

/// ax + by is at most 12·8 + 12·8 = 192 at the point, so that it never lies on the line.
fn reflection(draw: &mut Draw) -> String {
    let (a, b, total) = (
        draw.between(2, 12),
        draw.between(2, 12),
        draw.between(200, 500),
    );
    let (x, y) = (draw.between(1, 8), draw.between(1, 8));
    format!(
        "The point $P = ({x}, {y})$ is reflected in the line with equation ${a}x + {b}y = {total}$, \
         and $Q$ is its mirror image. The square of the distance $PQ$ can be expressed as \
         $\\frac{{m}}{{n}}$, where $m$ and $n$ are relatively prime positive integers. Find $m + n$."
    )
}
