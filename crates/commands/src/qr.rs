//! A QR code of half blocks: two modules a character, so that it is about square.

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

/// The code for `text` as lines, if it fits into `width` columns and `height` rows. Drawn light on dark, as most terminals
/// are; readers take either.
pub(crate) fn draw(text: &str, width: usize, height: usize) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    // Four quiet modules on each side.
    let modules = code.width() + 8;
    if modules > width || modules.div_ceil(2) > height {
        return None;
    }
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_only_where_it_fits() {
        let url = "https://auth.example.com/device?user_code=WDJB-MJHT";
        let drawn = draw(url, 60, 30).unwrap();
        assert!(drawn.lines().all(|line| line.chars().count() <= 60) && drawn.lines().count() < 30);
        assert!(draw(url, 30, 30).is_none() && draw(url, 60, drawn.lines().count() - 1).is_none());
        assert!(draw(url, 60, drawn.lines().count()).is_some());
    }
}
