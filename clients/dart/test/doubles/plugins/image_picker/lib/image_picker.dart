/// A double of `package:image_picker` 1.1.
library;

import 'dart:typed_data';

enum ImageSource { camera, gallery }

class XFile {
  XFile(this.path);
  final String path;
  Future<int> length() => throw UnimplementedError();
  Stream<Uint8List> openRead([int? start, int? end]) => throw UnimplementedError();
}

class LostDataResponse {
  bool get isEmpty => true;
  List<XFile>? get files => null;
}

class ImagePicker {
  Future<XFile?> pickImage({
    required ImageSource source,
    double? maxWidth,
    double? maxHeight,
    int? imageQuality,
    bool requestFullMetadata = true,
  }) => throw UnimplementedError();

  Future<LostDataResponse> retrieveLostData() => throw UnimplementedError();
}
