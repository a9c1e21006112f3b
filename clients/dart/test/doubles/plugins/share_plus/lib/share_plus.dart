/// A double of `package:share_plus` 11.
library;

import 'package:image_picker/image_picker.dart' show XFile;

export 'package:image_picker/image_picker.dart' show XFile;

class ShareParams {
  ShareParams({this.text, this.files});
  final String? text;
  final List<XFile>? files;
}

enum ShareResultStatus { success, dismissed, unavailable }

class ShareResult {
  const ShareResult(this.raw, this.status);
  final String raw;
  final ShareResultStatus status;
}

class SharePlus {
  SharePlus._();
  static SharePlus get instance => SharePlus._();
  Future<ShareResult> share(ShareParams params) => throw UnimplementedError();
}
