use opencv::core::{Mat, MatTraitConst, MatTraitConstManual};
use opencv::imgcodecs::{self, IMREAD_GRAYSCALE};

use crate::capture::Plane;

/// A still picture as luma, decoded from any usual file format and turned upright by its EXIF note.
pub struct Picture(Mat);

/// Why a file is no picture. The messages are meant to stand behind the file's name and ": ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    #[error("the file is empty")]
    Empty,
    #[error("this is not a picture in a known format, or it is damaged beyond reading")]
    Undecodable,
    #[error("the picture is damaged: the file ends before the picture does")]
    CutShort,
    #[error("the picture is too large to decode")]
    TooLarge,
}

impl Picture {
    pub fn decode(file: &[u8]) -> Result<Self, PictureError> {
        if file.is_empty() {
            return Err(PictureError::Empty);
        }
        if is_cut_short(file) {
            return Err(PictureError::CutShort);
        }
        let bytes = Mat::from_slice(file).map_err(|_| PictureError::TooLarge)?;
        // OpenCV refuses more than 2^30 pixels with an error of its own and everything else that it
        // cannot decode with an empty matrix.
        let picture = imgcodecs::imdecode(&bytes, IMREAD_GRAYSCALE).map_err(|_| PictureError::TooLarge)?;
        if picture.empty() { Err(PictureError::Undecodable) } else { Ok(Self(picture)) }
    }

    pub fn luma(&self) -> Plane<'_> {
        let (width, height) = (self.0.cols() as usize, self.0.rows() as usize);
        let data = self.0.data_bytes().expect("a decoded picture lies in one piece");
        Plane { data, width, height, stride: width }
    }
}

/// The JPEG decoder fills what is missing with grey and only warns; a reader of plates must not take
/// grey for "nothing there".
fn is_cut_short(file: &[u8]) -> bool {
    const START_OF_JPEG: &[u8] = &[0xff, 0xd8, 0xff];
    const END_OF_JPEG: &[u8] = &[0xff, 0xd9];
    file.starts_with(START_OF_JPEG) && !file.windows(2).rev().any(|pair| pair == END_OF_JPEG)
}
