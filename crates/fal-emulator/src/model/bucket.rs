//! The canvas that the open model computes on: about 640² pixels in the source's proportions, each
//! side a multiple of 32, as in diffusers' `QwenImageLayeredPipeline`.

/// Width and height of every layer for a source of this size.
pub(crate) fn canvas(width: u32, height: u32) -> (u32, u32) {
    let area = 640.0 * 640.0;
    let ratio = f64::from(width) / f64::from(height);
    let exact_width = (area * ratio).sqrt();
    let exact_height = exact_width / ratio;
    let side = |exact: f64| ((exact / 32.0).round_ties_even() * 32.0).max(32.0) as u32;
    (side(exact_width), side(exact_height))
}

#[cfg(test)]
mod tests {
    use super::canvas;

    #[test]
    fn sides_match_the_published_examples() {
        assert_eq!(canvas(1024, 1024), (640, 640));
        assert_eq!(canvas(1920, 1080), (864, 480));
        assert_eq!(canvas(1080, 1920), (480, 864));
        assert_eq!(canvas(1500, 1000), (768, 512));
        assert_eq!(canvas(1600, 1200), (736, 544));
        assert_eq!(canvas(800, 2400), (384, 1120));
    }
}
